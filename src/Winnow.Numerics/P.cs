namespace Winnow.Numerics; internal static class Placeholder;
