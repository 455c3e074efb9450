/* One pass over whole lines of flat JSON records: the fields of a known shape become arrays (scan.py says which).
 *
 * A line is vouched for or marked as odd, never guessed at: whatever is not plainly regular (an unknown or repeated key,
 * a nested value, an escape in an id, a count that is no plain integer, a timestamp of another spelling) is odd, and is
 * read elsewhere. That the block is UTF-8 without half surrogate pairs is for the caller to check.
 *
 * Memory: a block ends in a newline, which nothing but the loop over its lines passes. So the byte under the cursor can
 * always be read; whoever looks further ahead compares with `end` first.
 */
#include "tokens.h"

#include <math.h>

/* All of these stand in scan.py, too. */
enum { MOST_FIELDS = 64, MOST_COUNTS = 7, MOST_NUMBERS = 3, MOST_TEXTS = 2 };
enum { MOST_GROUPS = 2, MOST_WORDS = 16, MOST_COMBINATIONS = 4096 };
enum kind { SKIPPED, INSTANT, COUNT, NUMBER, TEXT, WORD, SCALAR_WORD };

enum { SLOTS = 2 * MOST_COMBINATIONS };

/* A key of the shape, and where its value goes: a column of counts or numbers, a text, or a word of a group. */
typedef struct {
    const char *key;
    int64_t length;
    int32_t kind;
    int32_t column;
    int32_t group;    /* of a word */
    int32_t required; /* neither missing nor null */
    double low, high; /* of a count or a number */
} Field;

/* One text a row, each with a newline; empty where there is none. */
typedef struct {
    char *signs;
    int64_t room, size; /* bytes */
} Texts;

/* Words that are told apart together: one number a row, and where the words of each combination begin and end. */
typedef struct {
    int32_t *numbers;
    uint32_t *words; /* [MOST_COMBINATIONS][MOST_WORDS][2], places in the block; 0 and 0 where there is none */
    int32_t width;   /* words in a combination */
    int32_t count;   /* combinations */
} Group;

/* Where the rows of a block go. */
typedef struct {
    int64_t capacity; /* rows that there is room for */
    int64_t most_odd; /* so many odd lines make the block one that is left to the caller */
    uint8_t *odd;
    int64_t *instants; /* nanoseconds since 1970 */
    int64_t *counts;   /* [MOST_COUNTS][capacity]; 0 where there is none */
    double *numbers;   /* [MOST_NUMBERS][capacity]; NaN where there is none */
    Texts texts[MOST_TEXTS];
    Group groups[MOST_GROUPS];
} Columns;

typedef struct {
    int64_t instant;
    int64_t counts[MOST_COUNTS];
    double numbers[MOST_NUMBERS];
    Span texts[MOST_TEXTS];
    Span words[MOST_GROUPS][MOST_WORDS];
} Row;

/* The distinct combinations of words that a block has so far. */
typedef struct {
    int32_t slots[SLOTS]; /* number of a combination + 1 */
    uint64_t hashes[MOST_COMBINATIONS];
} Known;

/* Values ----------------------------------------------------------------------------------------------------------- */

static const char *after_count(const char *at, const Field *field, Row *row) {
    Written number;
    const char *end = after_number(at, &number);
    if (!end || !number.is_whole || number.is_negative || number.digit_count > 18) return NULL;
    row->counts[field->column] = (int64_t)number.digits;
    return (double)number.digits >= field->low && (double)number.digits <= field->high ? end : NULL;
}

static const char *after_float(const char *at, const Field *field, Row *row) {
    Written number;
    double value;
    const char *end = after_number(at, &number);
    if (!end || !nearest(at, end, &number, &value) || (number.is_negative && value == 0)) return NULL;
    row->numbers[field->column] = value;
    return value >= field->low && value <= field->high ? end : NULL;
}

/* What follows the value of a field, which is taken into the row; NULL when it is not regular. */
static const char *after_value(const char *at, const char *end, const Field *field, Row *row) {
    const bool is_null = end - at > 4 && memcmp(at, "null", 4) == 0;
    const char *after;
    Span text;
    if (is_null && field->kind != SCALAR_WORD) return field->required ? NULL : at + 4;
    switch ((enum kind)field->kind) {
    case SKIPPED:
        return after_scalar(at, end);
    case INSTANT:
        if (*at != '"' || !(after = after_text(at, end, &text))) return NULL;
        return read_instant(text, &row->instant) ? after : NULL;
    case COUNT:
        return after_count(at, field, row);
    case NUMBER:
        return after_float(at, field, row);
    case TEXT:
        return *at == '"' ? after_text(at, end, &row->texts[field->column]) : NULL;
    case WORD:
        if (*at != '"') return NULL;
        break;
    case SCALAR_WORD:
        break;
    }
    after = after_scalar(at, end);
    row->words[field->group][field->column] = (Span){at, after};
    return after;
}

/* Lines ------------------------------------------------------------------------------------------------------------ */

/* The field of a key, looked for from the one that follows the last; NULL for none. `at` is moved behind the key. */
static const Field *field_of(const char **at, const char *end, const Field *fields, int count, int *next) {
    const char *key = *at + 1;
    if (**at != '"') return NULL;
    for (int tried = 0; tried < count; tried++) {
        const Field *field = &fields[*next];
        *next = *next + 1 < count ? *next + 1 : 0;
        if (end - key > field->length && key[field->length] == '"' &&
            memcmp(key, field->key, (size_t)field->length) == 0) {
            *at = key + field->length + 1;
            return field;
        }
    }
    return NULL;
}

/* Whether the line at `at` is a regular record, which is taken into the row; `at` stays in the line. */
static bool read_line(const char **at, const char *end, const Field *fields, int count, uint64_t required, Row *row) {
    uint64_t seen = 0;
    int next = 0;
    const char *here = after_blanks(*at);
    if (*here++ != '{') return false;
    do {
        here = after_blanks(here);
        const Field *field = field_of(&here, end, fields, count, &next);
        *at = here;
        if (!field) return false;
        const uint64_t bit = UINT64_C(1) << (field - fields);
        here = after_blanks(here);
        if (seen & bit || *here++ != ':') return false;
        seen |= bit;
        here = after_value(after_blanks(here), end, field, row);
        if (!here) return false;
        *at = here = after_blanks(here);
    } while (*here++ == ',');
    if (here[-1] != '}') return false;
    *at = after_blanks(here);
    return **at == '\n' && (seen & required) == required;
}

/* Combinations of words -------------------------------------------------------------------------------------------- */

static bool same_words(const Span *words, const uint32_t *held, const char *block, int count) {
    for (int place = 0; place < count; place++, held += 2) {
        const size_t length = (size_t)(words[place].end - words[place].begin);
        if (length != held[1] - held[0]) return false;
        if (length && memcmp(words[place].begin, block + held[0], length) != 0) return false;
    }
    return true;
}

static uint64_t hash_of(const Span *words, int count) {
    uint64_t state = 0;
    for (int place = 0; place < count; place++) {
        const char *at = words[place].begin;
        size_t left = (size_t)(words[place].end - at);
        state = (state ^ left) * UINT64_C(0x9E3779B97F4A7C15);
        while (left) {
            const size_t taken = left < 8 ? left : 8;
            uint64_t part = 0;
            memcpy(&part, at, taken);
            state = (state ^ part) * UINT64_C(0xBF58476D1CE4E5B9);
            state ^= state >> 29;
            at += taken;
            left -= taken;
        }
    }
    return state;
}

/* The number of a combination of words, a new one where it is new; -1 when there is no room for it. */
static int32_t combination_of(const Span *words, const char *block, Known *known, Group *group) {
    const uint64_t hash = hash_of(words, group->width);
    uint64_t slot = hash % SLOTS;
    for (; known->slots[slot]; slot = (slot + 1) % SLOTS) {
        const int32_t number = known->slots[slot] - 1;
        const uint32_t *held = group->words + 2 * MOST_WORDS * number;
        if (known->hashes[number] == hash && same_words(words, held, block, group->width)) return number;
    }
    if (group->count == MOST_COMBINATIONS) return -1;
    const int32_t number = group->count++;
    known->slots[slot] = number + 1;
    known->hashes[number] = hash;
    uint32_t *held = group->words + 2 * MOST_WORDS * number;
    for (int place = 0; place < group->width; place++, held += 2) {
        const bool there = words[place].begin != NULL;
        held[0] = there ? (uint32_t)(words[place].begin - block) : 0;
        held[1] = there ? (uint32_t)(words[place].end - block) : 0;
    }
    return number;
}

/* Rows ------------------------------------------------------------------------------------------------------------- */

static bool keep_text(Span text, Texts *texts) {
    const int64_t length = text.end - text.begin;
    if (length >= texts->room - texts->size) return false;
    if (length) memcpy(texts->signs + texts->size, text.begin, (size_t)length);
    texts->signs[texts->size + length] = '\n';
    texts->size += length + 1;
    return true;
}

/* Write a row; false where there is no room for it. */
static bool keep_row(const Row *row, int64_t at, const char *block, Known *known, Columns *columns) {
    columns->instants[at] = row->instant;
    for (int place = 0; place < MOST_COUNTS; place++)
        columns->counts[place * columns->capacity + at] = row->counts[place];
    for (int place = 0; place < MOST_NUMBERS; place++)
        columns->numbers[place * columns->capacity + at] = row->numbers[place];
    for (int place = 0; place < MOST_TEXTS; place++)
        if (!keep_text(row->texts[place], &columns->texts[place])) return false;
    for (int place = 0; place < MOST_GROUPS; place++) {
        Group *group = &columns->groups[place];
        const int32_t number = combination_of(row->words[place], block, &known[place], group);
        if (number < 0) return false;
        group->numbers[at] = number;
    }
    return true;
}

static int64_t scan(const char *block, const char *end, const Field *fields, int count, Known *known,
                    Columns *columns) {
    const char *at = block;
    int64_t rows = 0, odd = 0;
    uint64_t required = 0;
    Row nothing = {0};
    for (int place = 0; place < MOST_NUMBERS; place++) nothing.numbers[place] = NAN;
    for (int number = 0; number < count; number++) required |= (uint64_t)(fields[number].required != 0) << number;
    for (; at < end; rows++) {
        Row row = nothing;
        if (rows == columns->capacity) return -1;
        const bool is_regular = read_line(&at, end, fields, count, required, &row);
        columns->odd[rows] = !is_regular;
        odd += !is_regular;
        if (odd > columns->most_odd || !keep_row(is_regular ? &row : &nothing, rows, block, known, columns)) return -1;
        at = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1;
    }
    return rows;
}

/* The SHA-256 of these sources, by which scan.py knows its own. */
const char llmmigrate_scan_sources[] = SOURCES;

/* The number of rows that a block has, one a line, with all of them in the columns; -1 where the block is left to the
 * caller: it does not end in a newline, there is no room for a row, or too many of them are odd. */
int64_t llmmigrate_scan(const char *block, int64_t size, const Field *fields, int32_t count, Columns *columns) {
    if (size < 1 || size > UINT32_MAX || block[size - 1] != '\n' || count < 1 || count > MOST_FIELDS) return -1;
    Known *known = calloc(MOST_GROUPS, sizeof *known);
    if (!known) return -1;
    const int64_t rows = scan(block, block + size, fields, count, known, columns);
    free(known);
    return rows;
}
