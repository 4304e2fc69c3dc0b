/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "basic/quote.h"

const char *quote_format(const char *text, char buf[static QUOTE_TEXT])
{
    const size_t max = QUOTE_TEXT - sizeof("...");
    size_t n = 0;

    for (; text[n] && n < max; n++)
        buf[n] = text[n] >= ' ' && text[n] <= '~' ? text[n] : '?';
    memcpy(buf + n, text[n] ? "..." : "", text[n] ? sizeof("...") : 1);
    return buf;
}
