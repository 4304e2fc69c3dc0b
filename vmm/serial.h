/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A 16550A serial port: the guest's console, COM1.
 *
 * It transmits at once, so its transmitter is always empty. What it receives waits in a FIFO that
 * is bounded: who feeds it asks for the room first, and is told when there is room again.
 * Called under the machine's lock.
 */
#ifndef VMM_SERIAL_H
#define VMM_SERIAL_H

#include "vmm/bus.h"

#define SERIAL_PORT 0x3F8
#define SERIAL_GSI  4
#define SERIAL_FIFO 64 /* deeper than the chip's 16: a guest reads until it is empty */

struct serial_ops {
    /* The guest sent a byte. */
    void (*output)(void *opaque, uint8_t byte);
    /* The guest has emptied the receive FIFO. */
    void (*drained)(void *opaque);
    /* The interrupt line rose: one edge. */
    void (*interrupt)(void *opaque);
};

struct serial {
    const struct serial_ops *ops;
    void *opaque;
    uint8_t ier, lcr, mcr, scratch, fcr;
    uint8_t dll, dlm;
    uint8_t fifo[SERIAL_FIFO];
    unsigned fifo_start, fifo_used;
    bool overrun;
    bool transmit_pending; /* the transmitter-empty interrupt, until it is read or refilled */
    bool line;
};

/* serial_init - put it on @pio; it stays the caller's. -EEXIST if something is there. */
int serial_init(struct serial *s, struct bus *pio, const struct serial_ops *ops,
                void *opaque) _must_check_;

/* serial_reset - as after power-on; what was received is dropped. */
void serial_reset(struct serial *s);

/* serial_room - how many bytes the receive FIFO takes now. */
unsigned serial_room(const struct serial *s);

/* serial_receive - feed one byte; lost, with an overrun that the guest sees, if there is no room.
 */
void serial_receive(struct serial *s, uint8_t byte);

#endif
