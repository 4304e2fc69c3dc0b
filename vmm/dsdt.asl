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
            // No _OSC: nothing native is handed over, so slots stay ACPI's, as they have to (see
            // hotplug.h). No _PRT: there is no INTx.

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

            // hotplug.h
            OperationRegion (HPRG, SystemIO, 0x610, 0x0C)
            Field (HPRG, DWordAcc, NoLock, WriteAsZeros)
            {
                UPSL, 32, // slots whose device is new; reading clears
                DNSL, 32, // slots whose device is asked back; reading clears
                EJCT, 32  // write: slots that are given back
            }

            Device (S01) { Name (_ADR, 0x00010000) Name (_SUN, 1) Method (_EJ0, 1) { EJCT = One << _SUN } }
            Device (S02) { Name (_ADR, 0x00020000) Name (_SUN, 2) Method (_EJ0, 1) { EJCT = One << _SUN } }
            Device (S03) { Name (_ADR, 0x00030000) Name (_SUN, 3) Method (_EJ0, 1) { EJCT = One << _SUN } }
            Device (S04) { Name (_ADR, 0x00040000) Name (_SUN, 4) Method (_EJ0, 1) { EJCT = One << _SUN } }
            Device (S05) { Name (_ADR, 0x00050000) Name (_SUN, 5) Method (_EJ0, 1) { EJCT = One << _SUN } }
            Device (S06) { Name (_ADR, 0x00060000) Name (_SUN, 6) Method (_EJ0, 1) { EJCT = One << _SUN } }
            Device (S07) { Name (_ADR, 0x00070000) Name (_SUN, 7) Method (_EJ0, 1) { EJCT = One << _SUN } }
            Device (S08) { Name (_ADR, 0x00080000) Name (_SUN, 8) Method (_EJ0, 1) { EJCT = One << _SUN } }
            Device (S09) { Name (_ADR, 0x00090000) Name (_SUN, 9) Method (_EJ0, 1) { EJCT = One << _SUN } }
            Device (S10) { Name (_ADR, 0x000A0000) Name (_SUN, 10) Method (_EJ0, 1) { EJCT = One << _SUN } }
            Device (S11) { Name (_ADR, 0x000B0000) Name (_SUN, 11) Method (_EJ0, 1) { EJCT = One << _SUN } }
            Device (S12) { Name (_ADR, 0x000C0000) Name (_SUN, 12) Method (_EJ0, 1) { EJCT = One << _SUN } }
            Device (S13) { Name (_ADR, 0x000D0000) Name (_SUN, 13) Method (_EJ0, 1) { EJCT = One << _SUN } }
            Device (S14) { Name (_ADR, 0x000E0000) Name (_SUN, 14) Method (_EJ0, 1) { EJCT = One << _SUN } }
            Device (S15) { Name (_ADR, 0x000F0000) Name (_SUN, 15) Method (_EJ0, 1) { EJCT = One << _SUN } }
            Device (S16) { Name (_ADR, 0x00100000) Name (_SUN, 16) Method (_EJ0, 1) { EJCT = One << _SUN } }
            Device (S17) { Name (_ADR, 0x00110000) Name (_SUN, 17) Method (_EJ0, 1) { EJCT = One << _SUN } }
            Device (S18) { Name (_ADR, 0x00120000) Name (_SUN, 18) Method (_EJ0, 1) { EJCT = One << _SUN } }
            Device (S19) { Name (_ADR, 0x00130000) Name (_SUN, 19) Method (_EJ0, 1) { EJCT = One << _SUN } }
            Device (S20) { Name (_ADR, 0x00140000) Name (_SUN, 20) Method (_EJ0, 1) { EJCT = One << _SUN } }
            Device (S21) { Name (_ADR, 0x00150000) Name (_SUN, 21) Method (_EJ0, 1) { EJCT = One << _SUN } }
            Device (S22) { Name (_ADR, 0x00160000) Name (_SUN, 22) Method (_EJ0, 1) { EJCT = One << _SUN } }
            Device (S23) { Name (_ADR, 0x00170000) Name (_SUN, 23) Method (_EJ0, 1) { EJCT = One << _SUN } }
            Device (S24) { Name (_ADR, 0x00180000) Name (_SUN, 24) Method (_EJ0, 1) { EJCT = One << _SUN } }
            Device (S25) { Name (_ADR, 0x00190000) Name (_SUN, 25) Method (_EJ0, 1) { EJCT = One << _SUN } }
            Device (S26) { Name (_ADR, 0x001A0000) Name (_SUN, 26) Method (_EJ0, 1) { EJCT = One << _SUN } }
            Device (S27) { Name (_ADR, 0x001B0000) Name (_SUN, 27) Method (_EJ0, 1) { EJCT = One << _SUN } }
            Device (S28) { Name (_ADR, 0x001C0000) Name (_SUN, 28) Method (_EJ0, 1) { EJCT = One << _SUN } }
            Device (S29) { Name (_ADR, 0x001D0000) Name (_SUN, 29) Method (_EJ0, 1) { EJCT = One << _SUN } }
            Device (S30) { Name (_ADR, 0x001E0000) Name (_SUN, 30) Method (_EJ0, 1) { EJCT = One << _SUN } }
            Device (S31) { Name (_ADR, 0x001F0000) Name (_SUN, 31) Method (_EJ0, 1) { EJCT = One << _SUN } }

            // NTFY: the slots of bitmap Arg0 had event Arg1.
            Method (NTFY, 2)
            {
                If (Arg0 & 0x00000002) { Notify (S01, Arg1) }
                If (Arg0 & 0x00000004) { Notify (S02, Arg1) }
                If (Arg0 & 0x00000008) { Notify (S03, Arg1) }
                If (Arg0 & 0x00000010) { Notify (S04, Arg1) }
                If (Arg0 & 0x00000020) { Notify (S05, Arg1) }
                If (Arg0 & 0x00000040) { Notify (S06, Arg1) }
                If (Arg0 & 0x00000080) { Notify (S07, Arg1) }
                If (Arg0 & 0x00000100) { Notify (S08, Arg1) }
                If (Arg0 & 0x00000200) { Notify (S09, Arg1) }
                If (Arg0 & 0x00000400) { Notify (S10, Arg1) }
                If (Arg0 & 0x00000800) { Notify (S11, Arg1) }
                If (Arg0 & 0x00001000) { Notify (S12, Arg1) }
                If (Arg0 & 0x00002000) { Notify (S13, Arg1) }
                If (Arg0 & 0x00004000) { Notify (S14, Arg1) }
                If (Arg0 & 0x00008000) { Notify (S15, Arg1) }
                If (Arg0 & 0x00010000) { Notify (S16, Arg1) }
                If (Arg0 & 0x00020000) { Notify (S17, Arg1) }
                If (Arg0 & 0x00040000) { Notify (S18, Arg1) }
                If (Arg0 & 0x00080000) { Notify (S19, Arg1) }
                If (Arg0 & 0x00100000) { Notify (S20, Arg1) }
                If (Arg0 & 0x00200000) { Notify (S21, Arg1) }
                If (Arg0 & 0x00400000) { Notify (S22, Arg1) }
                If (Arg0 & 0x00800000) { Notify (S23, Arg1) }
                If (Arg0 & 0x01000000) { Notify (S24, Arg1) }
                If (Arg0 & 0x02000000) { Notify (S25, Arg1) }
                If (Arg0 & 0x04000000) { Notify (S26, Arg1) }
                If (Arg0 & 0x08000000) { Notify (S27, Arg1) }
                If (Arg0 & 0x10000000) { Notify (S28, Arg1) }
                If (Arg0 & 0x20000000) { Notify (S29, Arg1) }
                If (Arg0 & 0x40000000) { Notify (S30, Arg1) }
                If (Arg0 & 0x80000000) { Notify (S31, Arg1) }
            }

            Method (SCAN, 0, Serialized)
            {
                NTFY (UPSL, 1) // device check
                NTFY (DNSL, 3) // eject request
            }
        }

        Device (GED)
        {
            Name (_HID, "ACPI0013")
            Name (_UID, Zero)
            // Level: high as long as a bitmap holds a bit, so an event can't be lost before the
            // guest listens.
            Name (_CRS, ResourceTemplate ()
            {
                Interrupt (ResourceConsumer, Level, ActiveHigh, Exclusive) { 16 }
            })
            Method (_EVT, 1)
            {
                \_SB.PCI0.SCAN ()
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
                    IO (Decode16, 0x610, 0x610, 1, 0x0C) // hotplug.h
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
