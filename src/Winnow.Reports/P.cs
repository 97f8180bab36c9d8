namespace Winnow.Reports; internal static class Placeholder;
