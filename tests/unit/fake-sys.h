/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A /sys and /dev of the test's own, by umockdev's preload library: opens, reads and links of the
 * program under test go there. Attributes are plain files; a test that needs the kernel to act on a
 * write links with --wrap=file_write and acts itself.
 */
#ifndef TESTS_UNIT_FAKE_SYS_H
#define TESTS_UNIT_FAKE_SYS_H

#include "basic/macro.h"
#include "under-umockdev.h"

/* cmocka set-up and tear-down functions: an empty tree for each test. */
int fake_sys_setup(void **state);
int fake_sys_teardown(void **state);

/* Each makes the directories above @path, an absolute path such as /sys/bus/pci/drivers/igb. */
void fake_sys_dir(const char *path);
void fake_sys_file(const char *path, const char *text);
void fake_sys_link(const char *path, const char *target);
void fake_sys_remove(const char *path);

/* fake_sys_pci - device @bdf in IOMMU group @group (-1: none), bound to @driver (NULL: none), with
 * empty driver_override and @class_code */
void fake_sys_pci(const char *bdf, int group, const char *driver, const char *class_code);

#endif
