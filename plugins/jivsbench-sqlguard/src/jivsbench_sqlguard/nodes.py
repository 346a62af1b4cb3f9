"""The nodes of the syntax tree that a query may consist of, by sqlglot's class name. Any other node refuses the query."""

from typing import Final

from jivsbench_sqlguard.wordlist import read_words

STRUCTURE: Final = read_words("""
    Select Union Intersect Except Subquery With CTE From Join Where Group Having Order Ordered Limit Offset Fetch LimitOptions
    Distinct Table TableAlias Alias Column Identifier Star Values Tuple Lateral Window WindowSpec WithinGroup Filter
    Literal Null Boolean Var Paren Case If Cast DataType DataTypeParam Interval IntervalSpan Collate AtTimeZone
    Cube Rollup GroupingSets
    """)
# Lambda: inside a call the parser takes `payload -> 'key'`, which extracts from JSON, for one.
OPERATORS: Final = read_words("""
    And Or Not EQ NEQ LT LTE GT GTE Is In Between Like ILike Escape Exists Any All Add Sub Mul Div Mod Neg IntDiv DPipe
    NullSafeEQ NullSafeNEQ JSONExtract JSONExtractScalar JSONBExtract JSONBExtractScalar JSONPath JSONPathRoot JSONPathKey
    JSONPathSubscript Array Bracket Lambda
    """)
FUNCTIONS: Final = read_words("""
    Count Sum Avg Min Max Stddev StddevPop StddevSamp Variance VariancePop Corr CovarPop CovarSamp LogicalAnd LogicalOr
    RegrSlope RegrIntercept RegrR2 RegrCount RegrAvgx RegrAvgy RegrSxx RegrSyy RegrSxy
    BitwiseAndAgg BitwiseOrAgg ArrayAgg
    JSONArrayAgg JSONBArrayAgg PercentileCont PercentileDisc Mode AnyValue Grouping GroupConcat
    RowNumber Rank DenseRank PercentRank CumeDist Ntile Lag Lead FirstValue LastValue NthValue
    Lower Upper Initcap Length CharLength BitLength ByteLength Trim Substring Left Right StrPosition Replace Translate Reverse
    Concat ConcatWs Pad SplitPart StartsWith Ascii Unicode Chr MD5 ToChar ToNumber Overlay Hex LowerHex Instr
    Abs Ceil Floor Round Trunc Sign Sqrt Cbrt Pow Exp Ln Log Pi Degrees Radians Sin Cos Tan Asin Acos Atan Atan2
    Cot Sinh Cosh Tanh WidthBucket Greatest Least Coalesce Nullif
    TimestampTrunc DateTrunc DateBin Extract StrToTime StrToDate UnixToTime Date DateFromParts TimestampFromParts MakeInterval
    CurrentDate CurrentTime CurrentTimestamp Localtime Localtimestamp JustifyDays JustifyHours JustifyInterval
    TimeToStr TsOrDsToTimestamp TsOrDsToDate Time Datetime Julian ArrayLength ArraySize ArrayToString JSONArrayLength
    Typeof JSONType
    """)
NODES: Final = STRUCTURE | OPERATORS | FUNCTIONS

ARGUMENTS: Final = {
    "Select": read_words(
        "with_ operation_modifiers distinct expressions from_ joins laterals where group having windows order limit offset"
    ),
    "Union": read_words("with_ this expression distinct by_name order limit offset"),
    "Intersect": read_words("with_ this expression distinct by_name order limit offset"),
    "Except": read_words("with_ this expression distinct by_name order limit offset"),
    "Subquery": read_words("this alias with_ joins order limit offset"),
    "Table": read_words("this alias db joins"),
    "Join": read_words("this on side kind using method"),
    "With": frozenset({"expressions"}),
    "CTE": read_words("this alias materialized"),
    "Column": read_words("this table"),
    # What stands behind IN without parentheses is a table to SQLite and a column to the parser.
    "In": read_words("this expressions query"),
    "Lateral": read_words("this alias view outer"),
    "Cast": read_words("this to"),
    "DataType": read_words("this expressions nested"),
    "TableAlias": read_words("this columns"),
}
"""What these nodes may hold: locks, hints, samples, INTO, catalogues and the like are arguments, not nodes."""

DATA_TYPES: Final = read_words("""
    SMALLINT INT BIGINT DECIMAL FLOAT DOUBLE TEXT VARCHAR CHAR BPCHAR BOOLEAN DATE TIME TIMETZ TIMESTAMP TIMESTAMPTZ DATETIME
    TIMESTAMPNTZ INTERVAL JSON JSONB UUID ARRAY
    """)
