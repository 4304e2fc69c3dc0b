/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the guest is told of devices it can't find by itself. Nothing here varies from VM to VM:
 * addresses that do are read from the parameter block (struct acpi_params in acpi.h), which the
 * VMM fills, so this code is never patched.
 */
DefinitionBlock ("", "DSDT", 2, "SRIOVC", "SRIOVVMM", 1)
{
    OperationRegion (PARM, SystemMemory, 0xE0040, 0x28)
    Field (PARM, QWordAcc, NoLock, Preserve)
    {
        W32S, 32, // 32-bit window: start, length
        W32L, 32,
        ECAS, 32, // ECAM: start, length
        ECAL, 32,
        W64S, 64, // 64-bit window: start, last byte, length
        W64E, 64,
        W64L, 64
    }

    Scope (\_SB)
    {
        Device (PCI0)
        {
            Name (_HID, EisaId ("PNP0A08"))
            Name (_CID, EisaId ("PNP0A03"))
            Name (_SEG, Zero)
            Name (_BBN, Zero)
            Name (_UID, Zero)
            Name (_CCA, One)
            // No _OSC: there is nothing native to hand over. No _PRT: there is no INTx.

            Method (_CRS, 0, Serialized)
            {
                Name (RBUF, ResourceTemplate ()
                {
                    WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode,
                        0, 0, 0, 0, 1)
                    DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable,
                        ReadWrite, 0, 0, 0, 0, 0, , , LOW)
                    // Not prefetchable: such a window takes BARs of either kind.
                    QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable,
                        ReadWrite, 0, 0, 0, 0, 0, , , HIGH)
                })
                CreateDWordField (RBUF, LOW._MIN, LMIN)
                CreateDWordField (RBUF, LOW._MAX, LMAX)
                CreateDWordField (RBUF, LOW._LEN, LLEN)
                CreateQWordField (RBUF, HIGH._MIN, HMIN)
                CreateQWordField (RBUF, HIGH._MAX, HMAX)
                CreateQWordField (RBUF, HIGH._LEN, HLEN)
                LMIN = W32S
                LLEN = W32L
                LMAX = W32S + W32L - One
                HMIN = W64S
                HMAX = W64E
                HLEN = W64L
                Return (RBUF)
            }
        }

        // Linux trusts MCFG only where its range is reserved.
        Device (MBRD)
        {
            Name (_HID, EisaId ("PNP0C02"))
            Name (_UID, Zero)
            Method (_CRS, 0, Serialized)
            {
                Name (RBUF, ResourceTemplate ()
                {
                    Memory32Fixed (ReadWrite, 0, 0, ECAM)
                    IO (Decode16, 0x600, 0x600, 1, 3) // power.h
                })
                CreateDWordField (RBUF, ECAM._BAS, EBAS)
                CreateDWordField (RBUF, ECAM._LEN, ELEN)
                EBAS = ECAS
                ELEN = ECAL
                Return (RBUF)
            }
        }

        Device (COM1)
        {
            Name (_HID, EisaId ("PNP0501"))
            Name (_UID, Zero)
            Name (_CRS, ResourceTemplate ()
            {
                IO (Decode16, 0x3F8, 0x3F8, 1, 8)
                Interrupt (ResourceConsumer, Edge, ActiveHigh, Exclusive) { 4 }
            })
        }
    }

    // What to write to the sleep control register to power off.
    Name (\_S5, Package () { 5, Zero, Zero, Zero })
}
