"""The words of the allow-list, per dialect. What is not here is refused, so adding a function is a decision made here.

Left out on purpose, though harmless in small doses: everything that makes much out of little (`repeat`, `space`,
`generate_series`, `format`), regular expressions (a short pattern can cost minutes), set-returning functions, whatever
reads or changes session, server, file or network, and whatever runs text as SQL.
"""

from dataclasses import dataclass
from typing import Final

from jivsbench_sqlguard.wordlist import read_words


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """What one dialect may say. All words are in lower case."""

    functions: frozenset[str]
    session_words: frozenset[str]
    """Bare words that are functions: they tell who is connected."""
    has_arrays: bool


_SHARED: Final = read_words("""
    count sum avg min max
    row_number rank dense_rank percent_rank cume_dist ntile lag lead first_value last_value nth_value
    lower upper length trim ltrim rtrim substr substring replace concat concat_ws octet_length string_agg
    abs ceil ceiling floor round sign sqrt power pow exp ln log log10 mod pi degrees radians trunc
    sin cos tan asin acos atan atan2
    coalesce nullif date
    """)
_POSTGRES: Final = read_words("""
    stddev stddev_pop stddev_samp variance var_pop var_samp corr covar_pop covar_samp bool_and bool_or every
    regr_slope regr_intercept regr_r2 regr_count regr_avgx regr_avgy regr_sxx regr_syy regr_sxy
    bit_and bit_or array_agg json_agg jsonb_agg percentile_cont percentile_disc mode any_value grouping
    initcap char_length character_length bit_length btrim left right position strpos translate reverse
    lpad rpad split_part starts_with ascii chr md5 to_char to_number overlay
    date_trunc date_part date_bin extract age to_date to_timestamp make_date make_timestamp make_interval
    now current_timestamp localtimestamp current_time localtime justify_days justify_hours justify_interval isfinite
    cbrt div greatest least gcd lcm cot sinh cosh tanh width_bucket num_nulls num_nonnulls
    array_length cardinality array_to_string array
    json_extract_path json_extract_path_text jsonb_extract_path jsonb_extract_path_text json_array_length
    jsonb_array_length json_typeof jsonb_typeof json_build_object jsonb_build_object
    """)
_SQLITE: Final = read_words("""
    total group_concat instr hex unicode log2 ifnull iif time datetime julianday strftime unixepoch typeof
    json_extract json_array_length json_type
    """)
# A word that is no function of the server's own could be one that somebody stored, so what MySQL lacks of the shared ones is out.
_MYSQL: Final = (_SHARED - {"string_agg", "trunc"}) | read_words("""
    stddev stddev_pop stddev_samp variance var_pop var_samp bit_and bit_or group_concat
    char_length character_length bit_length left right position instr reverse lpad rpad ascii hex md5 cot
    greatest least ifnull if now current_timestamp localtime localtimestamp current_date extract json_extract
    """)
VOCABULARIES: Final = {
    "mysql": Vocabulary(functions=_MYSQL, session_words=read_words("current_user current_role"), has_arrays=False),
    "postgres": Vocabulary(
        functions=_SHARED | _POSTGRES,
        session_words=read_words("current_user session_user system_user user current_role current_catalog current_schema"),
        has_arrays=True,
    ),
    "sqlite": Vocabulary(functions=_SHARED | _SQLITE, session_words=frozenset(), has_arrays=False),
}
"""Vocabularies by sqlglot's name of the dialect."""

TYPES: Final = read_words("""
    smallint integer int int2 int4 int8 bigint decimal numeric real float float4 float8 double text varchar char character
    bpchar boolean bool date time timetz timestamp timestamptz interval json jsonb uuid
    """)
"""Words that a cast may name: plain types, whose input functions read nothing but their text."""

PADDED_TYPES: Final = frozenset({"char", "character", "bpchar"})
"""PostgreSQL fills their values with blanks up to the size that the query names."""

MAX_PADDING: Final = 10_000
"""Characters: what filling up may bring a text to."""

BEFORE_PARENTHESIS: Final = read_words("""
    select distinct all any some exists in not and or where on using having when then else case between like ilike
    from join by as over filter group within values union except intersect cast is rollup cube sets materialized
    lateral partition row offset limit with escape
    """)
"""Words of the grammar after which a parenthesis is no call. `within group (`, `grouping sets (`, `row (` included."""

BEFORE_TEXT: Final = read_words("""
    select distinct all and or not in like ilike escape when then else case between by where on having
    date time timestamp timestamptz interval zone from for in is symmetric both leading trailing placing
    """)
"""Words that a text literal may follow. Elsewhere `word 'text'` is a cast to a type of that name, or a disguised table."""

REFUSED_WORDS: Final = frozenset(
    {"into", "table", "recursive", "tablesample", "operator", "collation", "uescape", "procedure", "outfile"}
)
"""Never a column's bare name in both dialects, and the start of something that is no plain SELECT."""
