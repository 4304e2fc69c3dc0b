/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/serial.h"

#include <linux/serial_reg.h>

#define PORT_SIZE 8

#define IER_WRITABLE 0x0f
#define MCR_WRITABLE 0x1f
#define LSR_IDLE     (UART_LSR_THRE | UART_LSR_TEMT)
#define MSR_WIRED    (UART_MSR_DCD | UART_MSR_DSR | UART_MSR_CTS)

static uint8_t line_status(const struct serial *s)
{
    return (uint8_t)(LSR_IDLE | (s->fifo_used > 0 ? UART_LSR_DR : 0) |
                     (s->overrun ? UART_LSR_OE : 0));
}

/* The cause with the highest priority, as IIR names it. */
static uint8_t interrupt_cause(const struct serial *s)
{
    if ((s->ier & UART_IER_RLSI) && s->overrun)
        return UART_IIR_RLSI;
    if ((s->ier & UART_IER_RDI) && s->fifo_used > 0)
        return UART_IIR_RDI;
    if ((s->ier & UART_IER_THRI) && s->transmit_pending)
        return UART_IIR_THRI;
    return UART_IIR_NO_INT;
}

/* The interrupt controller sees edges: one each time the line goes from nothing to something.
 * A handler that reads IIR until nothing is pending misses none. */
static void update_line(struct serial *s)
{
    const bool line = interrupt_cause(s) != UART_IIR_NO_INT;

    if (line && !s->line)
        s->ops->interrupt(s->opaque);
    s->line = line;
}

unsigned serial_room(const struct serial *s)
{
    return SERIAL_FIFO - s->fifo_used;
}

void serial_receive(struct serial *s, uint8_t byte)
{
    if (serial_room(s) == 0) {
        s->overrun = true;
    } else {
        s->fifo[(s->fifo_start + s->fifo_used) % SERIAL_FIFO] = byte;
        s->fifo_used++;
    }
    update_line(s);
}

static uint8_t take_received(struct serial *s)
{
    uint8_t byte;

    if (s->fifo_used == 0)
        return 0;
    byte = s->fifo[s->fifo_start];
    s->fifo_start = (s->fifo_start + 1) % SERIAL_FIFO;
    if (--s->fifo_used == 0)
        s->ops->drained(s->opaque);
    return byte;
}

static void transmit(struct serial *s, uint8_t byte)
{
    if (s->mcr & UART_MCR_LOOP)
        serial_receive(s, byte);
    else
        s->ops->output(s->opaque, byte);
    /* Gone already: full and empty again in one instant. */
    s->transmit_pending = true;
}

static uint8_t take_cause(struct serial *s)
{
    const uint8_t cause = interrupt_cause(s);

    if (cause == UART_IIR_THRI)
        s->transmit_pending = false;
    return cause | (s->fcr & UART_FCR_ENABLE_FIFO ? 0xC0 : 0);
}

/* In loopback the modem outputs are wired to the modem inputs; drivers probe by that. */
static uint8_t modem_status(const struct serial *s)
{
    uint8_t status = 0;

    if (!(s->mcr & UART_MCR_LOOP))
        return MSR_WIRED;
    status |= s->mcr & UART_MCR_RTS ? UART_MSR_CTS : 0;
    status |= s->mcr & UART_MCR_DTR ? UART_MSR_DSR : 0;
    status |= s->mcr & UART_MCR_OUT1 ? UART_MSR_RI : 0;
    status |= s->mcr & UART_MCR_OUT2 ? UART_MSR_DCD : 0;
    return status;
}

static uint8_t read_register(struct serial *s, unsigned reg)
{
    const bool dlab = s->lcr & UART_LCR_DLAB;
    uint8_t value;

    switch (reg) {
    case UART_RX:
        return dlab ? s->dll : take_received(s);
    case UART_IER:
        return dlab ? s->dlm : s->ier;
    case UART_IIR:
        return take_cause(s);
    case UART_LCR:
        return s->lcr;
    case UART_MCR:
        return s->mcr;
    case UART_LSR:
        value = line_status(s);
        s->overrun = false;
        return value;
    case UART_MSR:
        return modem_status(s);
    default:
        return s->scratch;
    }
}

static void write_ier(struct serial *s, uint8_t value)
{
    /* Turning the transmitter's interrupt on while it is empty raises it: drivers start by that. */
    if ((value & UART_IER_THRI) && !(s->ier & UART_IER_THRI))
        s->transmit_pending = true;
    s->ier = value & IER_WRITABLE;
}

static void write_fcr(struct serial *s, uint8_t value)
{
    s->fcr = value;
    if (value & UART_FCR_CLEAR_RCVR && s->fifo_used > 0) {
        s->fifo_used = 0;
        s->ops->drained(s->opaque);
    }
}

static void write_register(struct serial *s, unsigned reg, uint8_t value)
{
    const bool dlab = s->lcr & UART_LCR_DLAB;

    switch (reg) {
    case UART_TX:
        if (dlab)
            s->dll = value;
        else
            transmit(s, value);
        break;
    case UART_IER:
        if (dlab)
            s->dlm = value;
        else
            write_ier(s, value);
        break;
    case UART_FCR:
        write_fcr(s, value);
        break;
    case UART_LCR:
        s->lcr = value;
        break;
    case UART_MCR:
        s->mcr = value & MCR_WRITABLE;
        break;
    case UART_SCR:
        s->scratch = value;
        break;
    }
}

/* The chip is eight bits wide: a wider access reads or writes the one register. */
static uint64_t serial_read(void *opaque, uint64_t offset, unsigned len _unused_)
{
    struct serial *s = opaque;
    const uint8_t value = read_register(s, (unsigned)offset);

    update_line(s);
    return value;
}

static void serial_write(void *opaque, uint64_t offset, unsigned len _unused_, uint64_t value)
{
    struct serial *s = opaque;

    write_register(s, (unsigned)offset, (uint8_t)value);
    update_line(s);
}

static const struct bus_ops bus_ops = {
    .name = "serial",
    .read = serial_read,
    .write = serial_write,
};

int serial_init(struct serial *s, struct bus *pio, const struct serial_ops *ops, void *opaque)
{
    *s = (struct serial){.ops = ops, .opaque = opaque};
    return bus_add(pio, SERIAL_PORT, PORT_SIZE, &bus_ops, s);
}

void serial_reset(struct serial *s)
{
    const bool had_input = s->fifo_used > 0;

    *s = (struct serial){.ops = s->ops, .opaque = s->opaque};
    if (had_input)
        s->ops->drained(s->opaque);
}
