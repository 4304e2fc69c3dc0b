/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef TESTS_UNIT_UNDER_UMOCKDEV_H
#define TESTS_UNIT_UNDER_UMOCKDEV_H

/* under_umockdev - main's first call: run this program again under umockdev's preload library,
 * unless it does already. Ends the program on failure. */
void under_umockdev(char **argv);

#endif
