namespace Winnow.Continual; internal static class Placeholder;
