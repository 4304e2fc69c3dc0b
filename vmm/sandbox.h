/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a VMM gives away before its guest runs. In this order:
 *
 *   sandbox_raise_limits     while still root: pinned memory and file descriptors
 *   sandbox_drop_privileges  another user, no capability, none to be had by exec
 *   sandbox_filter           only the system calls in sandbox.c's table; on every thread
 *
 * After the last no path can be opened, no socket made, no program run, and nothing undone.
 */
#ifndef VMM_SANDBOX_H
#define VMM_SANDBOX_H

#include "basic/error.h"

/* sandbox_raise_limits - as far as this user may; never fails, as a VM without VFs needs none. */
void sandbox_raise_limits(void);

/**
 * sandbox_drop_privileges - for good
 * @user: whom to become if we are root; otherwise ignored
 *
 * Return: 0; -ENODEV if there is no such user; -EPERM if the user is root; another errno.
 */
int sandbox_drop_privileges(const char *user, struct error *e) _must_check_;

/* sandbox_filter - install the filter on all threads of the process. */
int sandbox_filter(struct error *e) _must_check_;

#endif
