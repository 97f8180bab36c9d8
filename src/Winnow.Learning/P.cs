namespace Winnow.Learning; internal static class Placeholder;
