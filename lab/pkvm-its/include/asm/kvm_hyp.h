/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __SHIM_KVM_HYP_H__
#define __SHIM_KVM_HYP_H__

#include <kernel-shim.h>

/* The hypervisor's view of memory, played by mem.c */
void *hyp_phys_to_virt(phys_addr_t phys);
phys_addr_t hyp_virt_to_phys(void *virt);

#define hyp_phys_to_pfn(phys)	((phys) >> PAGE_SHIFT)
#define hyp_pfn_to_phys(pfn)	((phys_addr_t)(pfn) << PAGE_SHIFT)
#define hyp_virt_to_pfn(virt)	hyp_phys_to_pfn(hyp_virt_to_phys(virt))
#define clear_page(page)	memset(page, 0, PAGE_SIZE)

void kvm_flush_dcache_to_poc(void *addr, size_t size);

int __pkvm_host_share_hyp(u64 pfn);
int __pkvm_host_unshare_hyp(u64 pfn);
int __pkvm_host_donate_hyp(u64 pfn, u64 nr_pages);
int __pkvm_hyp_donate_host(u64 pfn, u64 nr_pages);
int hyp_pin_shared_mem(void *from, void *to);
void hyp_unpin_shared_mem(void *from, void *to);
int hyp_page_count(void *addr);
bool host_range_is_mmio(phys_addr_t start, u64 size);

/* What the state of a page is kept in. The states are those of nvhe/memory.h. */
struct hyp_page;

enum pkvm_page_state {
	PKVM_PAGE_OWNED,
	PKVM_PAGE_SHARED_OWNED,
	PKVM_PAGE_SHARED_BORROWED,
	PKVM_NOPAGE,
};

bool addr_is_memory(phys_addr_t phys);
struct hyp_page *hyp_phys_to_page(phys_addr_t phys);
enum pkvm_page_state get_host_state(struct hyp_page *page);
enum pkvm_page_state get_hyp_state(struct hyp_page *page);

enum kvm_pgtable_prot {
	PAGE_HYP_DEVICE,
};

int __pkvm_create_private_mapping(phys_addr_t phys, size_t size, enum kvm_pgtable_prot prot,
				  unsigned long *haddr);

#endif /* __SHIM_KVM_HYP_H__ */
