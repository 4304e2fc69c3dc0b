/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "planner-host.h"

#include "src/planner-parts.h"
#include "temp-dir.h"
#include "unit.h"

#include <linux/if_ether.h>

struct planner_host host;

int __wrap_vfio_group_of(const struct pci_addr *dev, struct error *e);
int __wrap_vfio_group_viable(const struct pci_addr *dev, struct error *e);
int __wrap_vfio_group_busy(int group, pid_t *ret_pid);
int __wrap_netdev_is_up(const char *name);
bool __wrap_netdev_is_bridge(const char *name);
bool __wrap_netdev_exists(const char *name);
int __wrap_netdev_macvtap_held(const char *name);

int __wrap_vfio_group_of(const struct pci_addr *dev _unused_, struct error *e)
{
    return host.group_error ? error_set(e, host.group_error, "no IOMMU") : 9;
}

int __wrap_vfio_group_viable(const struct pci_addr *dev _unused_, struct error *e)
{
    return host.viable_error ? error_set(e, host.viable_error, "not viable") : 0;
}

/* @busy: the group that is; negative an error. */
int __wrap_vfio_group_busy(int group, pid_t *ret_pid)
{
    if (host.busy < 0)
        return host.busy;
    if (ret_pid)
        *ret_pid = group == host.busy ? host.holder : 0;
    return group == host.busy;
}

int __wrap_netdev_is_up(const char *name _unused_)
{
    return host.netdev_up;
}

bool __wrap_netdev_is_bridge(const char *name)
{
    return host.bridge && streq(name, "br0");
}

bool __wrap_netdev_exists(const char *name)
{
    return host.tap && strncmp(name, "svt-", 4) == 0;
}

int __wrap_netdev_macvtap_held(const char *name _unused_)
{
    return host.macvtap_held;
}

static void make_vf(struct vf *vf, unsigned index)
{
    *vf = (struct vf){.addr = {.bus = 1, .dev = 0x10, .fn = (uint8_t)(2 * index)},
                      .index = index,
                      .driver = "vfio-pci",
                      .iommu_group = 7 + (int)index,
                      .numa_node = -1,
                      .can_reset = true};
    policy_put(&vf->policy, POLICY_MAC, 0);
    policy_put(&vf->policy, POLICY_VLAN, 0);
    policy_put(&vf->policy, POLICY_QOS, 0);
    policy_put(&vf->policy, POLICY_PROTO, ETH_P_8021Q);
    policy_put(&vf->policy, POLICY_MAX_TX_RATE, 0);
    policy_put(&vf->policy, POLICY_SPOOFCHK, 1);
    policy_put(&vf->policy, POLICY_TRUST, 0);
}

int planner_host_make(void **state)
{
    memset(&host, 0, sizeof(host));
    for (unsigned i = 0; i < 2; i++) {
        host.pfs[i] = (struct pf){.addr = {.bus = (uint8_t)(1 + i)},
                                  .ifindex = 2 + (int)i,
                                  .driver = "igb",
                                  .total_vfs = 7,
                                  .autoprobe = true};
        snprintf(host.pfs[i].name, sizeof(host.pfs[i].name), "eth%u", i);
    }
    for (unsigned i = 0; i < 3; i++)
        make_vf(&host.vfs[i], i);
    host.pfs[0].vfs = host.vfs;
    host.pfs[0].num_vfs = 3;
    host.nvme = (struct vf){.addr = {.bus = 9, .fn = 1}, .driver = "vfio-pci", .iommu_group = 20};
    host.nvme.can_reset = true;
    host.pfs[2] = (struct pf){.addr = {.bus = 9}, .name = "0000:09:00.0", .driver = "nvme"};
    host.pfs[2].vfs = &host.nvme;
    host.pfs[2].num_vfs = 1;
    host.now = (struct present){.state_dir = temp_dir_make(state),
                                .boot_id = "b00t",
                                .fallback_bridge = "",
                                .inv = {.pfs = host.pfs, .num_pfs = 3},
                                .leases = {.items = host.leases, .count = 0}};
    return 0;
}

int planner_host_free(void **state)
{
    temp_dir_remove(state);
    return 0;
}

struct lease *planner_host_lease(unsigned vf, const char *vm, enum lease_phase phase)
{
    struct lease *l = &host.leases[host.now.leases.count++];

    *l = (struct lease){.kind = LEASE_KIND_VF,
                        .phase = phase,
                        .generation = 5,
                        .boot_id = "b00t",
                        .pf = host.pfs[0].addr,
                        .vf = host.vfs[vf].addr,
                        .index = vf,
                        .before = host.vfs[vf].policy};
    pci_addr_format(&l->vf, l->id);
    snprintf(l->vm, sizeof(l->vm), "%s", vm);
    policy_put(&host.vfs[vf].policy, POLICY_MAC, MAC + vf);
    l->wanted = host.vfs[vf].policy;
    return l;
}

struct lease *planner_host_virtio_lease(bool on_bridge)
{
    struct lease *l = &host.leases[host.now.leases.count++];

    *l = (struct lease){.id = "virtio0",
                        .kind = LEASE_KIND_VIRTIO,
                        .phase = LEASE_ASSIGNED,
                        .generation = 5,
                        .boot_id = "b00t",
                        .vm = "vm1",
                        .parent_is_bridge = on_bridge};
    snprintf(l->parent, sizeof(l->parent), "%s", on_bridge ? "br0" : "eth0");
    policy_put(&l->wanted, POLICY_MAC, MAC);
    return l;
}

void assert_steps(const struct plan *p, const char *expected)
{
    char text[512] = "";
    size_t used = 0;

    for (size_t i = 0; i < p->num_steps; i++) {
        const bool already = p->steps[i].state == STEP_ALREADY;

        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s%s%s", i ? " " : "",
                                 already ? "(" : "", step_name(&p->steps[i]), already ? ")" : "");
    }
    assert_string_equal(text, expected);
}
