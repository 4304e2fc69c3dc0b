/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sessions: the VMMs that are connected, and handing them their NICs.
 *
 *   accepted ──HELLO──► handing over (worker thread) ──READY──► running ──end of file──► gone
 *       └───────────────────────┴── refused: the VMM is told why and the socket closes
 *
 * In `handing over` the session belongs to its job's thread, which opens the VFIO fds of each
 * lease, sends them and closes its own copies before the next; the agent holds none afterwards.
 * In all other states it belongs to the main thread. A VM's name is taken from HELLO on, so that
 * two VMMs never run one VM.
 *
 * Anyone may connect: who doesn't say HELLO soon is shut out, and a user has only so many
 * connections without it.
 */
#ifndef SRC_SESSION_H
#define SRC_SESSION_H

#include "src/agent.h"
#include "src/describe.h"

/* session_listen - accept VMMs at @path. */
int session_listen(struct agent *a, sd_event *event, const char *path,
                   struct error *e) _must_check_;

/**
 * session_resume_all - take up the conversation with VMMs that outlived an earlier agent
 *
 * Each says what it holds; live_wait_ready waits for that. One that doesn't answer is left out.
 */
int session_resume_all(struct agent *a, sd_event *event, struct error *e) _must_check_;

/* When the agent ends; VMMs run on. session_cut_all ends handoffs that are under way (their VMMs
 * see the agent go); after the workers' end session_close_all frees what is left. */
void session_cut_all(struct agent *a);
void session_close_all(struct agent *a);

#endif
