/* SPDX-License-Identifier: MIT */
/* libxendevicemodel.so.1 on pocketxen: it opens, so that device models start.
 * There is no HVM guest here to model devices for. */
#include "here.h"

#include <xendevicemodel.h>

struct xendevicemodel_handle {
        struct px_here here;
};

PX_PUBLIC xendevicemodel_handle *xendevicemodel_open(
        struct xentoollog_logger *logger, unsigned int open_flags)
{
        return (xendevicemodel_handle *)px_here_open();
}

PX_PUBLIC int xendevicemodel_close(xendevicemodel_handle *dmod)
{
        return px_here_close((struct px_here *)dmod);
}

PX_PUBLIC int xendevicemodel_create_ioreq_server(xendevicemodel_handle *dmod,
                                                 domid_t domid,
                                                 int handle_bufioreq,
                                                 ioservid_t *id)
{
        return px_not_here();
}

PX_PUBLIC int xendevicemodel_get_ioreq_server_info(xendevicemodel_handle *dmod,
                                                   domid_t domid, ioservid_t id,
                                                   xen_pfn_t *ioreq_gfn,
                                                   xen_pfn_t *bufioreq_gfn,
                                                   evtchn_port_t *bufioreq_port)
{
        return px_not_here();
}

PX_PUBLIC int xendevicemodel_map_io_range_to_ioreq_server(
        xendevicemodel_handle *dmod, domid_t domid, ioservid_t id, int is_mmio,
        uint64_t start, uint64_t end)
{
        return px_not_here();
}

PX_PUBLIC int xendevicemodel_unmap_io_range_from_ioreq_server(
        xendevicemodel_handle *dmod, domid_t domid, ioservid_t id, int is_mmio,
        uint64_t start, uint64_t end)
{
        return px_not_here();
}

PX_PUBLIC int xendevicemodel_map_mem_type_to_ioreq_server(
        xendevicemodel_handle *dmod, domid_t domid, ioservid_t id,
        uint16_t type, uint32_t flags)
{
        return px_not_here();
}

PX_PUBLIC int xendevicemodel_map_pcidev_to_ioreq_server(
        xendevicemodel_handle *dmod, domid_t domid, ioservid_t id,
        uint16_t segment, uint8_t bus, uint8_t device, uint8_t function)
{
        return px_not_here();
}

PX_PUBLIC int xendevicemodel_unmap_pcidev_from_ioreq_server(
        xendevicemodel_handle *dmod, domid_t domid, ioservid_t id,
        uint16_t segment, uint8_t bus, uint8_t device, uint8_t function)
{
        return px_not_here();
}

PX_PUBLIC int xendevicemodel_destroy_ioreq_server(xendevicemodel_handle *dmod,
                                                  domid_t domid, ioservid_t id)
{
        return px_not_here();
}

PX_PUBLIC int xendevicemodel_set_ioreq_server_state(xendevicemodel_handle *dmod,
                                                    domid_t domid,
                                                    ioservid_t id, int enabled)
{
        return px_not_here();
}

PX_PUBLIC int xendevicemodel_set_pci_intx_level(xendevicemodel_handle *dmod,
                                                domid_t domid, uint16_t segment,
                                                uint8_t bus, uint8_t device,
                                                uint8_t intx,
                                                unsigned int level)
{
        return px_not_here();
}

PX_PUBLIC int xendevicemodel_set_isa_irq_level(xendevicemodel_handle *dmod,
                                               domid_t domid, uint8_t irq,
                                               unsigned int level)
{
        return px_not_here();
}

PX_PUBLIC int xendevicemodel_set_irq_level(xendevicemodel_handle *dmod,
                                           domid_t domid, unsigned int irq,
                                           unsigned int level)
{
        return px_not_here();
}

PX_PUBLIC int xendevicemodel_set_pci_link_route(xendevicemodel_handle *dmod,
                                                domid_t domid, uint8_t link,
                                                uint8_t irq)
{
        return px_not_here();
}

PX_PUBLIC int xendevicemodel_inject_msi(xendevicemodel_handle *dmod,
                                        domid_t domid, uint64_t msi_addr,
                                        uint32_t msi_data)
{
        return px_not_here();
}

PX_PUBLIC int xendevicemodel_track_dirty_vram(xendevicemodel_handle *dmod,
                                              domid_t domid, uint64_t first_pfn,
                                              uint32_t nr,
                                              unsigned long *dirty_bitmap)
{
        return px_not_here();
}

PX_PUBLIC int xendevicemodel_modified_memory(xendevicemodel_handle *dmod,
                                             domid_t domid, uint64_t first_pfn,
                                             uint32_t nr)
{
        return px_not_here();
}

PX_PUBLIC int xendevicemodel_modified_memory_bulk(
        xendevicemodel_handle *dmod, domid_t domid,
        struct xen_dm_op_modified_memory_extent *extents, uint32_t nr)
{
        return px_not_here();
}

PX_PUBLIC int xendevicemodel_set_mem_type(xendevicemodel_handle *dmod,
                                          domid_t domid, hvmmem_type_t mem_type,
                                          uint64_t first_pfn, uint32_t nr)
{
        return px_not_here();
}

PX_PUBLIC int xendevicemodel_inject_event(xendevicemodel_handle *dmod,
                                          domid_t domid, int vcpu,
                                          uint8_t vector, uint8_t type,
                                          uint32_t error_code, uint8_t insn_len,
                                          uint64_t extra)
{
        return px_not_here();
}

PX_PUBLIC int xendevicemodel_shutdown(xendevicemodel_handle *dmod,
                                      domid_t domid, unsigned int reason)
{
        return px_not_here();
}

PX_PUBLIC int xendevicemodel_relocate_memory(xendevicemodel_handle *dmod,
                                             domid_t domid, uint32_t size,
                                             uint64_t src_gfn, uint64_t dst_gfn)
{
        return px_not_here();
}

PX_PUBLIC int xendevicemodel_pin_memory_cacheattr(xendevicemodel_handle *dmod,
                                                  domid_t domid, uint64_t start,
                                                  uint64_t end, uint32_t type)
{
        return px_not_here();
}

PX_PUBLIC int xendevicemodel_nr_vcpus(xendevicemodel_handle *dmod,
                                      domid_t domid, unsigned int *vcpus)
{
        return px_not_here();
}

PX_PUBLIC int xendevicemodel_restrict(xendevicemodel_handle *dmod,
                                      domid_t domid)
{
        return px_not_here();
}
