/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What was asked of a PF: how many VFs, whether it is drained, and what its autoprobe flag was.
 * Written before the first step of enable, removed by the last of "enable PF 0"; a crash between is
 * finished from it. One file a PF in the state directory.
 */
#ifndef SRC_PF_RECORD_H
#define SRC_PF_RECORD_H

#include "src/lease.h"

struct pf_record {
    struct pci_addr pf;
    unsigned count;
    bool autoprobe_before;
    bool drained; /* its VFs are with nobody, and none is given out, until undrain */
    char boot_id[BOOT_ID];
};

struct pf_record_list {
    struct pf_record *items;
    size_t count;
};

#define PF_RECORD_LIST_INIT                                                                        \
    {                                                                                              \
        .items = NULL, .count = 0                                                                  \
    }
void pf_record_list_done(struct pf_record_list *l);
#define _cleanup_pf_records_ _cleanup_(pf_record_list_done)

/* pf_record_load - -ENOENT if nothing was asked of that PF, -EBADMSG if its file is damaged. */
int pf_record_load(int state_dir, const struct pci_addr *pf, struct pf_record *ret,
                   struct error *e) _must_check_;
int pf_record_save(int state_dir, const struct pf_record *rec, struct error *e) _must_check_;
int pf_record_remove(int state_dir, const struct pci_addr *pf, struct error *e) _must_check_;

/* pf_record_load_all - every PF with a record that can be read; damaged ones are logged. */
int pf_record_load_all(int state_dir, struct pf_record_list *ret, struct error *e) _must_check_;

#endif
