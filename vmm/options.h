/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options of sriov-vmm. One table (options.c) makes the command line, the keys of
 * configuration files and --help.
 *
 * What is given on the command line wins over --config's file, which wins over
 * /etc/sriovctl/vm/NAME.conf.
 */
#ifndef VMM_OPTIONS_H
#define VMM_OPTIONS_H

#include "basic/error.h"
#include <stdint.h>

#define OPTIONS_CONFIG_DIR "/etc/sriovctl/vm"

struct options {
    char *name;
    char *kernel;
    char *initrd; /* NULL: none */
    char *cmdline;
    char *console;
    char *user;   /* who to become when started as root */
    char *config; /* NULL: none */
    uint64_t memory;
    unsigned cpus;
    bool no_agent;
    bool no_reboot;
    bool help;
    bool version;
};

/**
 * options_parse - command line and configuration files into @ret, with every default filled in
 * @config_dir: OPTIONS_CONFIG_DIR
 *
 * With help or version set nothing else is read or checked.
 *
 * Return: 0; -EINVAL for what the user got wrong, naming the option, or file, line and key;
 * -errno of reading a file.
 */
int options_parse(struct options *ret, int argc, char **argv, const char *config_dir,
                  struct error *e) _must_check_;
void options_done(struct options *o);

/* options_print_help - usage and one line an option. */
void options_print_help(FILE *to);

#endif
