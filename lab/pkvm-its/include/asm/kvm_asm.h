/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef __SHIM_KVM_ASM_H__
#define __SHIM_KVM_ASM_H__

/* Hypercalls, as far as anything depends on their numbers */
enum __kvm_host_smccc_func {
	__KVM_HOST_SMCCC_FUNC___pkvm_its_activate,
	__KVM_HOST_SMCCC_FUNC___pkvm_rdists_register,
	__KVM_HOST_SMCCC_FUNC___pkvm_its_prepare,
	__KVM_HOST_SMCCC_FUNC___pkvm_its_reclaim,
	__KVM_HOST_SMCCC_FUNC___pkvm_vpe_prepare,
	__KVM_HOST_SMCCC_FUNC___pkvm_vpe_reclaim,
};

#endif /* __SHIM_KVM_ASM_H__ */
