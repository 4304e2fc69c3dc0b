/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "basic/parse.h"

#include <ctype.h>
#include <errno.h>

int parse_u64(const char *text, uint64_t min, uint64_t max, uint64_t *ret)
{
    const bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    const char *digits = hex ? text + 2 : text;
    char *end = NULL;
    unsigned long long value;

    /* strtoull takes signs and leading space; we don't. */
    if (hex ? !isxdigit((unsigned char)*digits) : !isdigit((unsigned char)*digits))
        return -EINVAL;
    errno = 0;
    value = strtoull(digits, &end, hex ? 16 : 10);
    /* In base 16 it takes an 0x of its own: a second one, here. */
    if (*end || (hex && tolower((unsigned char)digits[1]) == 'x'))
        return -EINVAL;
    if (errno == ERANGE || value < min || value > max)
        return -ERANGE;
    *ret = value;
    return 0;
}

int parse_uint(const char *text, unsigned min, unsigned max, unsigned *ret)
{
    uint64_t value;
    int r = parse_u64(text, min, max, &value);

    if (r < 0)
        return r;
    *ret = (unsigned)value;
    return 0;
}

int parse_size(const char *text, uint64_t *ret)
{
    static const char suffixes[] = "KMGT";
    char digits[32];
    const size_t n = strlen(text);
    const char *suffix = n > 0 ? strchr(suffixes, toupper((unsigned char)text[n - 1])) : NULL;
    const unsigned shift = suffix && *suffix ? 10 * (unsigned)(suffix - suffixes + 1) : 0;
    uint64_t value;
    int r;

    if (n == 0 || n >= sizeof(digits))
        return -EINVAL;
    memcpy(digits, text, n + 1);
    if (shift)
        digits[n - 1] = '\0';
    r = parse_u64(digits, 0, UINT64_MAX >> shift, &value);
    if (r < 0)
        return r;
    *ret = value << shift;
    return 0;
}

int parse_on_off(const char *text, bool *ret)
{
    if (!streq(text, "on") && !streq(text, "off"))
        return -EINVAL;
    *ret = streq(text, "on");
    return 0;
}

bool vm_name_valid(const char *name)
{
    const size_t n = strlen(name);

    if (n == 0 || n >= VM_NAME_MAX || name[0] == '.' || name[0] == '-')
        return false;
    for (size_t i = 0; i < n; i++)
        if (!isalnum((unsigned char)name[i]) && !strchr("._-+@", name[i]))
            return false;
    return true;
}
