using System.Globalization;
using Parquet;
using Parquet.Schema;
using Winnow.Core;

namespace Winnow.Data.Readers;

/// <summary>Parquet files of flat columns: numbers and booleans as features, anything printable as the label, numbers or text as the domain.</summary>
internal static class ParquetTableReader
{
    private const string Damaged = "The file is cut short or damaged; write it again.";

    /// <summary>Reads a file.</summary>
    public static Table Read(string path, ReadRequest request) => InputFile.Reading(path, () =>
    {
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        return Read(file, request);
    });

    /// <summary>Reads a seekable stream.</summary>
    internal static Table Read(Stream file, ReadRequest request)
    {
        try
        {
            return ReadAsync(file, request).GetAwaiter().GetResult();
        }
        catch (Exception e) when (e is not (InputException or OperationCanceledException))
        {
            // The library reports damage with whatever its parser stumbles over.
            throw new InputException($"{request.Where}: found damaged Parquet data ({e.Message.ReplaceLineEndings(" ").TrimEnd('.')}); expected a whole Parquet file. {Damaged}", e);
        }
    }

    private static async Task<Table> ReadAsync(Stream file, ReadRequest request)
    {
        string where = request.Where;
        ParquetGuard.RequireFooter(file, where);
        await using var parquet = await ParquetReader.CreateAsync(file, leaveStreamOpen: true, cancellationToken: request.Cancellation).ConfigureAwait(false);
        var fields = parquet.Schema.DataFields;
        if (parquet.Schema.Fields.Count != fields.Length || fields.FirstOrDefault(f => f.IsArray) is not null)
            throw InputException.At(where, "nested columns", "flat columns of numbers and one label", "Flatten the table.");
        var plan = request.Columns([.. fields.Select(f => f.Name)], fields.Length);

        Int128 rows = 0;
        for (int g = 0; g < parquet.RowGroupCount; g++)
        {
            using var group = parquet.OpenRowGroupReader(g);
            rows += group.RowCount >= 0 ? group.RowCount : throw InputException.At(where, $"a row group of {group.RowCount} rows", "zero or more", Damaged);
        }
        if (rows == 0)
            throw InputException.At(where, "no rows", "data", "Check that it was written completely.");
        if (rows * fields.Length > ParquetGuard.MostValues(file))
            throw InputException.At(where, $"a header that promises {rows} rows of {fields.Length} columns in {Excerpt.Of(file.Length)} bytes", "a header that agrees with the file", Damaged);
        ParquetGuard.RequirePages(file, parquet.Metadata, where, request.Cancellation);
        request.Limits.Require(where, rows * plan.Features.Length, sizeof(float));
        var values = new float[(long)rows * plan.Features.Length];
        var encoder = new LabelEncoder(where, request.Limits);
        double[] targets = new double[request.Targets ? (long)rows : 0];
        var domains = new DomainEncoder(where, request.Limits);

        int first = 0;
        for (int g = 0; g < parquet.RowGroupCount; g++)
        {
            using var group = parquet.OpenRowGroupReader(g);
            for (int f = 0; f < plan.Features.Length; f++)
                await new Column(group, fields[plan.Features[f]], first, plan.Show(plan.Features[f]), request).ReadInto(values, f, plan.Features.Length).ConfigureAwait(false);
            if (request.Targets)
                await new Column(group, fields[plan.Label], first, plan.Show(plan.Label), request).ReadInto(targets).ConfigureAwait(false);
            else if (plan.Label >= 0)
                await new Column(group, fields[plan.Label], first, plan.Show(plan.Label), request).ReadInto(encoder).ConfigureAwait(false);
            if (plan.Domain >= 0)
                await new Column(group, fields[plan.Domain], first, plan.Show(plan.Domain), request).ReadInto(domains).ConfigureAwait(false);
            first += (int)group.RowCount;
        }
        var (labels, names) = plan.Label < 0 || request.Targets ? ([], []) : encoder.Finish();
        return new(values, plan.Features.Length, plan.FeatureNames, labels, names)
        {
            Domains = plan.Domain < 0 ? null : domains.Finish(plan.Show(plan.Domain)),
            Targets = request.Targets ? (plan.Show(plan.Label), targets) : null,
        };
    }

    /// <summary>One column of one row group.</summary>
    private sealed class Column(ParquetRowGroupReader group, DataField data, int firstRow, string shown, ReadRequest request)
    {
        private int Rows => (int)group.RowCount;

        private bool IsText => data.ClrType == typeof(string) || data.ClrType == typeof(ReadOnlyMemory<char>);

        public async Task ReadInto(float[] values, int feature, int features)
        {
            float divisor = request.Layout?.Divisor ?? 1;
            double?[] column = await Numbers().ConfigureAwait(false);
            for (int i = 0; i < column.Length; i++)
            {
                if (column[i] is not { } x)
                    throw InputException.At(Where(i), "a missing value", "a number", "Fill in the missing value or remove the row.");
                float value = (float)x;
                values[(long)(firstRow + i) * features + feature] = float.IsFinite(value) ? value / divisor : throw Table.NotFinite(Where(i), x.ToString(CultureInfo.InvariantCulture));
            }
        }

        public async Task ReadInto(double[] targets)
        {
            double?[] column = await Numbers().ConfigureAwait(false);
            for (int i = 0; i < column.Length; i++)
            {
                double x = column[i] ?? throw InputException.At(Where(i), "a missing value", "a number", "Fill in the missing value or remove the row.");
                targets[firstRow + i] = double.IsFinite(x) ? x : throw Table.NotFinite(Where(i), x.ToString(CultureInfo.InvariantCulture));
            }
        }

        public async Task ReadInto(LabelEncoder encoder)
        {
            if (IsText)
            {
                string?[] texts = await Texts().ConfigureAwait(false);
                for (int i = 0; i < texts.Length; i++)
                    encoder.Add(string.IsNullOrWhiteSpace(texts[i]) ? throw NoLabel(i) : texts[i].AsSpan().Trim());
                return;
            }
            double?[] numbers = await Numbers().ConfigureAwait(false);
            for (int i = 0; i < numbers.Length; i++)
                encoder.Add(numbers[i] is { } x ? x.ToString(CultureInfo.InvariantCulture) : throw NoLabel(i));
        }

        /// <summary>Text is names, whatever it looks like; the type of a column says so.</summary>
        public async Task ReadInto(DomainEncoder encoder)
        {
            if (IsText)
            {
                string?[] texts = await Texts().ConfigureAwait(false);
                for (int i = 0; i < texts.Length; i++)
                    encoder.AddName(string.IsNullOrWhiteSpace(texts[i]) ? throw DomainEncoder.Missing(Where(i)) : texts[i]!.Trim());
                return;
            }
            double?[] numbers = await Numbers().ConfigureAwait(false);
            for (int i = 0; i < numbers.Length; i++)
                encoder.AddNumber(numbers[i] ?? throw DomainEncoder.Missing(Where(i)), () => Where(i));
        }

        private async Task<string?[]> Texts()
        {
            var texts = new string?[Rows];
            await group.ReadAsync(data, texts.AsMemory()!, cancellationToken: request.Cancellation).ConfigureAwait(false);
            return texts;
        }

        private InputException NoLabel(int i) => InputException.At(Where(i), "an empty label", "a class", "Fill in the label or remove the row.");

        private string Where(int i) => $"{request.Where}, row {firstRow + i}, {shown}";

        private Task<double?[]> Numbers() => Type.GetTypeCode(data.ClrType) switch
        {
            TypeCode.Boolean => Numbers<bool>(b => b ? 1 : 0),
            TypeCode.SByte => Numbers<sbyte>(x => x),
            TypeCode.Byte => Numbers<byte>(x => x),
            TypeCode.Int16 => Numbers<short>(x => x),
            TypeCode.UInt16 => Numbers<ushort>(x => x),
            TypeCode.Int32 => Numbers<int>(x => x),
            TypeCode.UInt32 => Numbers<uint>(x => x),
            TypeCode.Int64 => Numbers<long>(x => x),
            TypeCode.UInt64 => Numbers<ulong>(x => x),
            TypeCode.Single => Numbers<float>(x => x),
            TypeCode.Double => Numbers<double>(x => x),
            TypeCode.Decimal => Numbers<decimal>(x => (double)x),
            _ => throw InputException.At($"{request.Where}, {shown}", IsText ? "text" : data.ClrType == typeof(ReadOnlyMemory<byte>) || data.ClrType == typeof(byte[]) ? "binary values" : $"values of type {data.ClrType.Name}", "numbers or booleans", "Encode the column as numbers or remove it."),
        };

        private async Task<double?[]> Numbers<T>(Func<T, double> convert) where T : struct
        {
            if (data.IsNullable)
            {
                var optional = new T?[Rows];
                await group.ReadAsync(data, optional.AsMemory(), cancellationToken: request.Cancellation).ConfigureAwait(false);
                return Array.ConvertAll(optional, x => x is { } v ? convert(v) : (double?)null);
            }
            var values = new T[Rows];
            await group.ReadAsync(data, values.AsMemory(), cancellationToken: request.Cancellation).ConfigureAwait(false);
            return Array.ConvertAll(values, x => (double?)convert(x));
        }
    }
}
