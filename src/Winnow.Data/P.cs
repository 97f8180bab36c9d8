namespace Winnow.Data; internal static class Placeholder;
