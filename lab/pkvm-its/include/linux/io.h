/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __SHIM_IO_H__
#define __SHIM_IO_H__

#include <kernel-shim.h>

u64 its_mmio_read(const volatile void *addr, unsigned int size);
/* Without what a read changes in the models */
u64 its_mmio_peek(const volatile void *addr, unsigned int size);
void its_mmio_write(volatile void *addr, u64 val, unsigned int size);

#define readl_relaxed(addr)		((u32)its_mmio_read(addr, 4))
#define readq_relaxed(addr)		its_mmio_read(addr, 8)
#define writel_relaxed(val, addr)	its_mmio_write(addr, (u32)(val), 4)
#define dsb(type)			do { } while (0)
#define cpu_relax()			do { } while (0)

#endif /* __SHIM_IO_H__ */
