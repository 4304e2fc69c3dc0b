/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Foreign text inside a message: cut to a bounded length, and printable ASCII only, since a
 * message crosses D-Bus (which takes no broken UTF-8) and ends on somebody's terminal.
 */
#ifndef BASIC_QUOTE_H
#define BASIC_QUOTE_H

#include "basic/macro.h"

#define QUOTE_TEXT 68 /* up to 64 characters of the text, "..." where it was cut */

/* quote_format - @text as it may be shown, into @buf; bytes that can't be are '?'. */
const char *quote_format(const char *text, char buf[static QUOTE_TEXT]);

/* The same for printf's %s: valid until the end of the enclosing block. */
#define QUOTE_STR(text) (quote_format((text), (char[QUOTE_TEXT]){0}))

#endif
