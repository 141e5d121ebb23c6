/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __SHIM_ARCH_GICV3_H__
#define __SHIM_ARCH_GICV3_H__

#include <linux/io.h>

#define gic_read_typer(addr)		its_mmio_read(addr, 8)
#define gicr_read_propbaser(addr)	its_mmio_read(addr, 8)
#define gicr_write_propbaser(val, addr)	its_mmio_write(addr, val, 8)
#define gicr_read_pendbaser(addr)	its_mmio_read(addr, 8)
#define gicr_write_pendbaser(val, addr)	its_mmio_write(addr, val, 8)
#define gicr_read_vpropbaser(addr)	its_mmio_read(addr, 8)
#define gicr_write_vpropbaser(val, addr) its_mmio_write(addr, val, 8)
#define gicr_read_vpendbaser(addr)	its_mmio_read(addr, 8)
#define gicr_write_vpendbaser(val, addr) its_mmio_write(addr, val, 8)
#define gic_write_lpir(val, addr)	its_mmio_write(addr, val, 8)
#define gits_read_baser(addr)		its_mmio_read(addr, 8)
#define gits_write_baser(val, addr)	its_mmio_write(addr, val, 8)
#define gits_read_cbaser(addr)		its_mmio_read(addr, 8)
#define gits_write_cbaser(val, addr)	its_mmio_write(addr, val, 8)
#define gits_write_cwriter(val, addr)	its_mmio_write(addr, val, 8)

#endif /* __SHIM_ARCH_GICV3_H__ */
