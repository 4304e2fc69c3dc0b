/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmm/cmos.h"

#include <time.h>

#define CMOS_PORT 0x70

/* Registers of the MC146818 and the century byte PCs agreed upon. */
enum cmos_register {
    CMOS_SECONDS = 0x00,
    CMOS_MINUTES = 0x02,
    CMOS_HOURS = 0x04,
    CMOS_WEEKDAY = 0x06,
    CMOS_DAY = 0x07,
    CMOS_MONTH = 0x08,
    CMOS_YEAR = 0x09,
    CMOS_A = 0x0a,
    CMOS_B = 0x0b,
    CMOS_D = 0x0d,
    CMOS_CENTURY = 0x32,
};

#define CMOS_A_32KHZ 0x26 /* the usual divider; bit 7, update in progress, is never set */
#define CMOS_B_24H   0x02 /* BCD, 24 hours, no interrupts */
#define CMOS_D_VALID 0x80

static uint8_t bcd(int n)
{
    return (uint8_t)(n / 10 % 10 << 4 | n % 10);
}

static uint8_t read_register(uint8_t index)
{
    const time_t now = time(NULL);
    struct tm tm;

    gmtime_r(&now, &tm);
    switch (index) {
    case CMOS_SECONDS:
        return bcd(tm.tm_sec);
    case CMOS_MINUTES:
        return bcd(tm.tm_min);
    case CMOS_HOURS:
        return bcd(tm.tm_hour);
    case CMOS_WEEKDAY:
        return bcd(tm.tm_wday + 1);
    case CMOS_DAY:
        return bcd(tm.tm_mday);
    case CMOS_MONTH:
        return bcd(tm.tm_mon + 1);
    case CMOS_YEAR:
        return bcd(tm.tm_year);
    case CMOS_CENTURY:
        return bcd((tm.tm_year + 1900) / 100);
    case CMOS_A:
        return CMOS_A_32KHZ;
    case CMOS_B:
        return CMOS_B_24H;
    case CMOS_D:
        return CMOS_D_VALID;
    default:
        return 0;
    }
}

static uint64_t cmos_read(void *opaque, uint64_t offset, unsigned len _unused_)
{
    const struct cmos *c = opaque;

    return offset == 1 ? read_register(c->index) : UINT8_MAX;
}

static void cmos_write(void *opaque, uint64_t offset, unsigned len _unused_, uint64_t value)
{
    struct cmos *c = opaque;

    if (offset == 0)
        c->index = value & 0x7f; /* bit 7 masks NMIs, which nothing here raises */
}

static const struct bus_ops cmos_ops = {
    .name = "cmos",
    .read = cmos_read,
    .write = cmos_write,
};

int cmos_init(struct cmos *c, struct bus *pio)
{
    /* libc reads the time zone's file before its first gmtime_r, which the sandbox would refuse. */
    tzset();
    *c = (struct cmos){0};
    return bus_add(pio, CMOS_PORT, 2, &cmos_ops, c);
}
