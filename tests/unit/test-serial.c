/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The serial port as a driver meets it. */
#include "vmm/serial.h"

#include "unit.h"

#include <linux/serial_reg.h>

static struct bus pio;
static struct serial serial;
static char sent[64];
static unsigned num_sent, interrupts, drained;

static void output(void *opaque _unused_, uint8_t byte)
{
    assert_true(num_sent < sizeof(sent));
    sent[num_sent++] = (char)byte;
}

static void on_drained(void *opaque _unused_)
{
    drained++;
}

static void on_interrupt(void *opaque _unused_)
{
    interrupts++;
}

static const struct serial_ops ops = {
    .output = output, .drained = on_drained, .interrupt = on_interrupt};

static int setup(void **state _unused_)
{
    pio = (struct bus){0};
    num_sent = interrupts = drained = 0;
    return serial_init(&serial, &pio, &ops, NULL);
}

static uint8_t in(unsigned reg)
{
    return (uint8_t)bus_read(&pio, SERIAL_PORT + reg, 1);
}

static void out(unsigned reg, uint8_t value)
{
    bus_write(&pio, SERIAL_PORT + reg, 1, value);
}

static void test_output(void **state _unused_)
{
    assert_int_equal(in(UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
    out(UART_TX, 'h');
    out(UART_TX, 'i');
    assert_memory_equal(sent, "hi", 2);
    assert_int_equal(in(UART_LSR), UART_LSR_THRE | UART_LSR_TEMT);
    assert_int_equal(interrupts, 0);
}

static void test_the_divisor_is_no_output(void **state _unused_)
{
    out(UART_LCR, UART_LCR_DLAB | UART_LCR_WLEN8);
    out(UART_DLL, 1);
    out(UART_DLM, 2);
    assert_int_equal(in(UART_DLL), 1);
    assert_int_equal(in(UART_DLM), 2);
    out(UART_LCR, UART_LCR_WLEN8);
    assert_int_equal(num_sent, 0);
    assert_int_equal(in(UART_IER), 0);
    assert_int_equal(in(UART_LCR), UART_LCR_WLEN8);
}

/* What Linux's 8250 driver does to tell a 16550A. */
static void test_it_is_a_16550a(void **state _unused_)
{
    out(UART_IER, 0xff);
    assert_int_equal(in(UART_IER), 0x0f);
    out(UART_IER, 0);
    out(UART_MCR, UART_MCR_LOOP | UART_MCR_OUT2 | UART_MCR_RTS);
    assert_int_equal(in(UART_MSR)&0xf0, UART_MSR_DCD | UART_MSR_CTS);
    out(UART_MCR, 0);
    assert_int_equal(in(UART_IIR)&0xc0, 0);
    out(UART_FCR, UART_FCR_ENABLE_FIFO);
    assert_int_equal(in(UART_IIR)&0xc0, 0xc0);
    out(UART_SCR, 0x5a);
    assert_int_equal(in(UART_SCR), 0x5a);
}

static void test_transmitter_interrupt(void **state _unused_)
{
    out(UART_IER, UART_IER_THRI); /* raised at once: that is how a driver starts to send */
    assert_int_equal(interrupts, 1);
    assert_int_equal(in(UART_IIR), UART_IIR_THRI);
    assert_int_equal(in(UART_IIR), UART_IIR_NO_INT); /* reading it cleared it */
    out(UART_TX, 'x');
    assert_int_equal(interrupts, 2);
    out(UART_TX, 'y'); /* pending still: no second edge */
    assert_int_equal(interrupts, 2);
    out(UART_IER, 0);
    assert_int_equal(in(UART_IIR), UART_IIR_NO_INT);
    out(UART_IER, UART_IER_THRI);
    assert_int_equal(interrupts, 3);
}

static void test_input(void **state _unused_)
{
    out(UART_IER, UART_IER_RDI);
    serial_receive(&serial, 'a');
    serial_receive(&serial, 'b');
    assert_int_equal(interrupts, 1);
    assert_int_equal(in(UART_IIR), UART_IIR_RDI);
    assert_int_equal(in(UART_LSR)&UART_LSR_DR, UART_LSR_DR);
    assert_int_equal(in(UART_RX), 'a');
    assert_int_equal(drained, 0);
    assert_int_equal(in(UART_RX), 'b');
    assert_int_equal(drained, 1);
    assert_int_equal(in(UART_LSR)&UART_LSR_DR, 0);
    assert_int_equal(in(UART_IIR), UART_IIR_NO_INT);
    assert_int_equal(in(UART_RX), 0);
    serial_receive(&serial, 'c');
    assert_int_equal(interrupts, 2);
}

static void test_input_is_bounded(void **state _unused_)
{
    for (unsigned i = 0; i < SERIAL_FIFO; i++) {
        assert_int_equal(serial_room(&serial), SERIAL_FIFO - i);
        serial_receive(&serial, (uint8_t)i);
    }
    assert_int_equal(serial_room(&serial), 0);
    serial_receive(&serial, 0xff);
    assert_int_equal(in(UART_LSR)&UART_LSR_OE, UART_LSR_OE);
    assert_int_equal(in(UART_LSR)&UART_LSR_OE, 0);
    for (unsigned i = 0; i < SERIAL_FIFO; i++)
        assert_int_equal(in(UART_RX), i);
    serial_receive(&serial, 7); /* round the end of the ring */
    assert_int_equal(in(UART_RX), 7);
}

static void test_clearing_the_fifo(void **state _unused_)
{
    serial_receive(&serial, 'a');
    out(UART_FCR, UART_FCR_ENABLE_FIFO | UART_FCR_CLEAR_RCVR);
    assert_int_equal(in(UART_LSR)&UART_LSR_DR, 0);
    assert_int_equal(drained, 1);
}

static void test_loopback(void **state _unused_)
{
    out(UART_MCR, UART_MCR_LOOP);
    out(UART_TX, 'l');
    assert_int_equal(num_sent, 0);
    assert_int_equal(in(UART_RX), 'l');
}

static void test_reset(void **state _unused_)
{
    out(UART_IER, UART_IER_RDI);
    out(UART_LCR, UART_LCR_DLAB);
    serial_receive(&serial, 'a');
    serial_reset(&serial);
    assert_int_equal(drained, 1);
    assert_int_equal(in(UART_LCR), 0);
    assert_int_equal(in(UART_IER), 0);
    assert_int_equal(in(UART_LSR)&UART_LSR_DR, 0);
    out(UART_TX, 'o');
    assert_int_equal(num_sent, 1);
}

static void test_odd_widths(void **state _unused_)
{
    bus_write(&pio, SERIAL_PORT, 2, 0x4142);
    assert_int_equal(num_sent, 1);
    assert_int_equal(bus_read(&pio, SERIAL_PORT + UART_LSR, 2), UART_LSR_THRE | UART_LSR_TEMT);
    assert_int_equal(bus_read(&pio, SERIAL_PORT + 7, 2), 0xffff); /* beyond the last register */
}

#define TEST(t) cmocka_unit_test_setup(t, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_output),
        TEST(test_the_divisor_is_no_output),
        TEST(test_it_is_a_16550a),
        TEST(test_transmitter_interrupt),
        TEST(test_input),
        TEST(test_input_is_bounded),
        TEST(test_clearing_the_fifo),
        TEST(test_loopback),
        TEST(test_reset),
        TEST(test_odd_widths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
