/* What single values of JSON look like, as far as they are plainly regular. Functions are named by what they return:
 * the place that follows a value, NULL where there is none.
 *
 * The byte under a cursor can always be read (scan.c says why); whoever looks further ahead compares with `end` first,
 * or has seen that the byte before is not the block's last.
 */
#include <float.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_NUMBER = 48, MOST_DIGITS = 19 };
static const uint64_t EXACT_INTEGERS = UINT64_C(1) << 53;

typedef struct {
    const char *begin, *end;
} Span;

static bool is_digit(char sign) { return sign >= '0' && sign <= '9'; }

static const char *after_blanks(const char *at) {
    while (*at == ' ' || *at == '\t' || *at == '\r') at++;
    return at;
}

/* Strings ---------------------------------------------------------------------------------------------------------- */

static uint64_t word_at(const char *at) {
    uint64_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

/* Whether one of eight bytes is a quote, a backslash or a control character (S. E. Anderson, "Bit Twiddling Hacks"). */
static bool may_stop(uint64_t word) {
    const uint64_t ones = UINT64_C(0x0101010101010101), highs = UINT64_C(0x8080808080808080);
    const uint64_t quote = word ^ (ones * '"'), backslash = word ^ (ones * '\\');
    return (((quote - ones) & ~quote) | ((backslash - ones) & ~backslash) | ((word - ones * ' ') & ~word)) & highs;
}

static const char *string_stop(const char *at, const char *end) {
    while (end - at >= 8 && !may_stop(word_at(at))) at += 8;
    while (*at != '"' && *at != '\\' && (unsigned char)*at >= ' ') at++;
    return at;
}

static bool is_hex(char sign) { return is_digit(sign) || (sign >= 'a' && sign <= 'f') || (sign >= 'A' && sign <= 'F'); }

/* What follows an escape; NULL when it is none. */
static const char *after_escape(const char *at) {
    const char sign = at[1]; /* a backslash is not the block's last byte */
    if (sign == 'u') {
        for (int place = 2; place < 6; place++)
            if (!is_hex(at[place])) return NULL;
        return at + 6;
    }
    return sign != '\0' && strchr("\"\\/bfnrt", sign) ? at + 2 : NULL;
}

/* What follows a string, whose inside is noted; NULL when it is none. */
static const char *after_string(const char *at, const char *end, Span *inside, bool *has_escapes) {
    if (*at != '"') return NULL;
    inside->begin = ++at;
    *has_escapes = false;
    while (*(at = string_stop(at, end)) == '\\') {
        *has_escapes = true;
        if (!(at = after_escape(at))) return NULL;
    }
    inside->end = at;
    return *at == '"' ? at + 1 : NULL;
}

/* Numbers ---------------------------------------------------------------------------------------------------------- */

/* A number as it is written: ± digits × 10^exponent. */
typedef struct {
    uint64_t digits;
    int digit_count; /* without leading zeros; `digits` holds the value of MOST_DIGITS at most */
    int exponent;
    bool is_negative, is_whole, has_exponent;
} Written;

static const char *after_digits(const char *at, Written *number) {
    for (; is_digit(*at); at++) {
        if (number->digit_count < MOST_DIGITS) number->digits = number->digits * 10 + (uint64_t)(*at - '0');
        number->digit_count += number->digit_count > 0 || *at != '0';
    }
    return at;
}

/* What follows a number of JSON; NULL when it is none, or longer than any that is of use. */
static const char *after_number(const char *at, Written *number) {
    const char *begin = at, *from;
    *number = (Written){.is_whole = true};
    number->is_negative = *at == '-';
    from = at += number->is_negative;
    at = after_digits(at, number);
    if (at == from || (*from == '0' && at - from > 1)) return NULL;
    if (*at == '.') {
        from = at + 1;
        at = after_digits(from, number);
        if (at == from) return NULL;
        number->is_whole = false;
        number->exponent = -(int)(at - from < LONGEST_NUMBER ? at - from : LONGEST_NUMBER);
    }
    if (*at == 'e' || *at == 'E') {
        const bool is_below = at[1] == '-'; /* an e is not the block's last byte */
        int exponent = 0;
        from = at += 1 + (is_below || at[1] == '+');
        for (; is_digit(*at); at++)
            if (exponent < 1000) exponent = exponent * 10 + (*at - '0');
        if (at == from) return NULL;
        number->is_whole = false;
        number->has_exponent = true;
        number->exponent += is_below ? -exponent : exponent;
    }
    return at - begin < LONGEST_NUMBER ? at : NULL;
}

/* A written number as the nearest double; false when it cannot be told. */
static bool nearest(const char *begin, const char *end, const Written *number, double *value) {
    static const double POWERS[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    const int exponent = number->exponent;
    if (FLT_EVAL_METHOD == 0 && number->digit_count <= MOST_DIGITS && number->digits <= EXACT_INTEGERS &&
        exponent >= -22 && exponent <= 22) {
        /* Both are exact, and one operation rounds once (W. D. Clinger, "How to read floating point numbers …"). */
        const double digits = (double)number->digits;
        *value = exponent < 0 ? digits / POWERS[-exponent] : digits * POWERS[exponent];
        if (number->is_negative) *value = -*value;
        return true;
    }
    char copy[LONGEST_NUMBER + 1];
    char *stop;
    memcpy(copy, begin, (size_t)(end - begin));
    copy[end - begin] = '\0';
    *value = strtod(copy, &stop); /* with a locale whose decimal point is another sign it stops early */
    return stop == copy + (end - begin);
}

/* Instants --------------------------------------------------------------------------------------------------------- */

/* So many digits as a number, -1 when there is another sign among them. */
static int64_t digits_at(const char *at, int count) {
    int64_t number = 0;
    for (int place = 0; place < count; place++) {
        if (!is_digit(at[place])) return -1;
        number = number * 10 + (at[place] - '0');
    }
    return number;
}

static int64_t month_days(int64_t year, int64_t month) {
    static const int DAYS[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return DAYS[month - 1] + (month == 2 && is_leap);
}

/* Days from 1970-01-01 to a date from 2000 on; years start in March, so that the leap day comes last. */
static int64_t days_to(int64_t year, int64_t month, int64_t day) {
    year -= month <= 2;
    const int64_t of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    return year * 365 + year / 4 - year / 100 + year / 400 + of_year - 719468;
}

/* 2026-01-15T10:00:00Z with up to nine decimals, as nanoseconds since 1970. */
static bool read_instant(Span text, int64_t *nanoseconds) {
    const char *at = text.begin;
    const int64_t length = text.end - at;
    if (length < 20 || length == 21 || length > 30) return false;
    if (at[4] != '-' || at[7] != '-' || at[10] != 'T' || at[13] != ':' || at[16] != ':' || at[length - 1] != 'Z')
        return false;
    const int64_t year = digits_at(at, 4), month = digits_at(at + 5, 2), day = digits_at(at + 8, 2);
    const int64_t hour = digits_at(at + 11, 2), minute = digits_at(at + 14, 2), second = digits_at(at + 17, 2);
    if (year < 2000 || year > 2261 || month < 1 || month > 12 || day < 1 || day > month_days(year, month)) return false;
    if (hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 59) return false;
    int64_t decimals = 0;
    if (length > 20) {
        const int count = (int)(length - 21);
        if (at[19] != '.' || (decimals = digits_at(at + 20, count)) < 0) return false;
        for (int place = count; place < 9; place++) decimals *= 10;
    }
    const int64_t seconds = days_to(year, month, day) * 86400 + hour * 3600 + minute * 60 + second;
    *nanoseconds = seconds * 1000000000 + decimals;
    return true;
}

/* Values ----------------------------------------------------------------------------------------------------------- */

/* What follows null, true or false; NULL when it is none of them. */
static const char *after_literal(const char *at, const char *end) {
    if (end - at > 4 && (memcmp(at, "null", 4) == 0 || memcmp(at, "true", 4) == 0)) return at + 4;
    return end - at > 5 && memcmp(at, "false", 5) == 0 ? at + 5 : NULL;
}

/* What follows a text, a number or a literal; NULL for anything else, and for numbers that not every reader takes. */
static const char *after_scalar(const char *at, const char *end) {
    Span inside;
    bool has_escapes;
    Written number;
    if (*at == '"') return after_string(at, end, &inside, &has_escapes);
    if (*at != '-' && !is_digit(*at)) return after_literal(at, end);
    const char *after = after_number(at, &number);
    return number.has_exponent || number.digit_count > 17 ? NULL : after;
}

static const char *after_text(const char *at, const char *end, Span *inside) {
    bool has_escapes;
    const char *after = after_string(at, end, inside, &has_escapes);
    return has_escapes ? NULL : after;
}
