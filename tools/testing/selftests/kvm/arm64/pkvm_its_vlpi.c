// SPDX-License-Identifier: GPL-2.0-only
/*
 * pkvm_its_vlpi - Direct injection of MSIs into a guest
 *
 * A GICv4 delivers the interrupts of an assigned device straight to a vCPU. The guest
 * sees no difference, but the host does: its own count of the interrupt stays the same.
 * Each case compares the interrupts that the guest has taken with those that the host
 * has counted, while the guest moves the interrupt, the host moves the vCPU, either of
 * them unmaps and remaps the interrupt, the vCPU sleeps, its CPU goes off line, the
 * system is suspended, or a VM is killed.
 *
 * The test takes two 82576 network controllers that have no driver, or if there is none, two of
 * QEMU's edu devices:
 *
 *	-M virt,virtualization=on,gic-version=4,its=on,iommu=smmuv3
 *	-device igb,romfile= -device igb,romfile=
 *
 * The kernel needs kvm-arm.vgic_v4_enable=1 kvm-arm.wfi_trap_policy=trap.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/pci_ids.h>
#include <linux/sizes.h>

#include <libvfio.h>

#include "kvm_util.h"
#include "gic.h"
#include "gic_v3.h"
#include "gic_v3_its.h"
#include "kselftest.h"
#include "pkvm_its.h"
#include "processor.h"
#include "ucall.h"
#include "vgic.h"

#define NR_VCPUS		2
#define NR_DEVICES		2
#define NR_MSIS			20
#define NR_REMAPS		20
#define NR_OFFLINES		10
#define MAX_TRIES		(10 * NR_MSIS)

#define DEVICE_ID_82576		0x10c9
#define MAX_PCI			16

/* In the guest */
#define DEVICE			1
#define EVENT			0
#define GSI			0

#define TIMEOUT_S		20

/* Redistributors, in the order of CPUs, and their frame for virtual LPIs */
#define MAX_RDISTS		16
#define VLPI_BASE		(2 * ITS_FRAME_SIZE)

static struct its its;
static struct rdist rdists[MAX_RDISTS];
static unsigned int nr_rdists;
/* Commands that a case has had EL2 refuse */
static u64 provoked;
static int kmsg;

/*
 * The guest
 */

/* Memory of the emulated GIC, in units of 64 KiB */
enum area {
	AREA_DEVICES,
	AREA_COLLECTIONS,
	AREA_QUEUE,
	AREA_ITT,
	AREA_PROPS,
	AREA_PENDING,
	NR_AREAS = AREA_PENDING + NR_VCPUS,
};

enum request {
	REQ_NONE,
	REQ_SYNC,
	REQ_MOVE,
	REQ_DISCARD,
	REQ_MAP,
};

/**
 * struct shared - state in guest memory that the host and the guest share
 * @areas: guest physical address of the first area, see enum area
 * @ready: counts the steps of initialisation that the vCPUs have finished, two each
 * @seen: number of interrupts of the device, for each vCPU
 * @strange: number of other interrupts
 * @request: what vCPU 0 must do next; the guest sets REQ_NONE when it is done
 * @target: the vCPU that REQ_MOVE moves the interrupt to
 * @sleep: vCPU 0 executes WFI whenever it has nothing to do
 */
static struct shared {
	gpa_t areas;
	u32 ready;
	u64 seen[NR_VCPUS];
	u64 strange;
	enum request request;
	u32 target;
	bool sleep;
} shared __aligned(SZ_1K);

static gpa_t guest_area(enum area area)
{
	return shared.areas + area * SZ_64K;
}

static void guest_irq(struct ex_regs *regs)
{
	u32 intid = gic_get_and_ack_irq();

	if (intid == IAR_SPURIOUS)
		return;

	if (intid == LPI_FIRST)
		shared.seen[guest_get_vcpuid()]++;
	else
		shared.strange++;
	gic_set_eoi(intid);
}

static void guest_init(u32 cpu)
{
	void *queue = (void *)guest_area(AREA_QUEUE);
	u32 i;

	gic_init(GIC_V3, NR_VCPUS);
	gic_rdist_enable_lpis(guest_area(AREA_PROPS), SZ_64K,
			      guest_area(AREA_PENDING + cpu));
	__atomic_fetch_add(&shared.ready, 1, __ATOMIC_SEQ_CST);
	if (cpu)
		return;

	while (READ_ONCE(shared.ready) < NR_VCPUS)
		cpu_relax();

	its_init(guest_area(AREA_COLLECTIONS), SZ_64K,
		 guest_area(AREA_DEVICES), SZ_64K, guest_area(AREA_QUEUE), SZ_64K);
	for (i = 0; i < NR_VCPUS; i++)
		its_send_mapc_cmd(queue, i, i, true);
	its_send_mapd_cmd(queue, DEVICE, guest_area(AREA_ITT), SZ_64K, true);
	its_send_mapti_cmd(queue, DEVICE, EVENT, 0, LPI_FIRST);
	its_send_sync_cmd(queue, 0);
}

static void guest_serve(void)
{
	void *queue = (void *)guest_area(AREA_QUEUE);

	switch (READ_ONCE(shared.request)) {
	case REQ_NONE:
		return;
	case REQ_MOVE:
		its_send_movi_cmd(queue, DEVICE, EVENT, shared.target);
		break;
	case REQ_DISCARD:
		its_send_discard_cmd(queue, DEVICE, EVENT);
		break;
	case REQ_MAP:
		its_send_mapti_cmd(queue, DEVICE, EVENT, 0, LPI_FIRST);
		break;
	case REQ_SYNC:
		break;
	}

	/*
	 * Each command traps, and KVM makes what is pending visible before it returns.
	 * Take those interrupts before the request is done.
	 */
	its_send_sync_cmd(queue, 0);
	local_irq_enable();
	isb();
	local_irq_disable();
	WRITE_ONCE(shared.request, REQ_NONE);
}

static void guest_code(void)
{
	u32 cpu = guest_get_vcpuid();

	local_irq_disable();
	guest_init(cpu);
	__atomic_fetch_add(&shared.ready, 1, __ATOMIC_SEQ_CST);

	while (1) {
		if (!cpu) {
			guest_serve();
			if (READ_ONCE(shared.sleep))
				asm volatile("wfi" : : : "memory");
		}
		local_irq_enable();
		cpu_relax();
		local_irq_disable();
	}
}

/*
 * The host
 */

/* Waits until an expression is true. */
#define WAIT_FOR(cond) ({							\
	time_t end = time(NULL) + TIMEOUT_S;					\
	int wait_ret = 0;							\
										\
	while (!(cond)) {							\
		if (time(NULL) > end) {						\
			ksft_print_msg("line %d: no " #cond "\n", __LINE__);	\
			wait_ret = -ETIMEDOUT;					\
			break;							\
		}								\
		usleep(100);							\
	}									\
	wait_ret;								\
})

/**
 * struct device - a device that raises MSIs when told so
 * @pci: the device, if it is an edu
 * @edu: likewise
 * @vfio: the device, if it is an 82576; otherwise NULL
 * @event: the eventfd that VFIO signals
 * @irq: how the host's /proc/interrupts names the interrupt
 */
struct device {
	struct pci_dev pci;
	struct vdev edu;
	struct vfio_pci_device *vfio;
	int event;
	char irq[64];
};

/**
 * struct runner - a thread that runs a vCPU
 * @vcpu: the vCPU
 * @thread: the thread
 * @tid: its thread ID
 */
struct runner {
	struct kvm_vcpu *vcpu;
	pthread_t thread;
	pid_t tid;
};

/**
 * struct guest - a VM with a device
 * @vm: the VM
 * @its: file descriptor of its ITS
 * @runners: its vCPUs
 * @shared: struct shared of the guest
 * @dev: the device
 */
struct guest {
	struct kvm_vm *vm;
	int its;
	struct runner runners[NR_VCPUS];
	struct shared *shared;
	struct device *dev;
};

/* Sum of the host's interrupt counts in all lines of /proc/interrupts that contain @name. */
static u64 host_irqs(const char *name, unsigned int *lines)
{
	char line[1024], *p, *next;
	unsigned int nr = 0;
	u64 val, sum = 0;
	FILE *f;

	f = fopen("/proc/interrupts", "re");
	TEST_ASSERT(f, "/proc/interrupts: %s", strerror(errno));

	while (fgets(line, sizeof(line), f)) {
		p = strchr(line, ':');
		if (!p || !strstr(p, name))
			continue;
		nr++;
		for (p++; val = strtoull(p, &next, 10), next != p; p = next)
			sum += val;
	}
	fclose(f);
	if (lines)
		*lines = nr;

	return sum;
}

/* Number of doorbells that the host has taken; @lines is the number of vPEs. */
static u64 doorbells(unsigned int *lines)
{
	return host_irqs("GICv4-vpe", lines);
}

static unsigned int nr_doorbells(void)
{
	unsigned int lines;

	doorbells(&lines);

	return lines;
}

static u64 host_count(struct device *dev)
{
	unsigned int lines;
	u64 count;

	count = host_irqs(dev->irq, &lines);
	TEST_ASSERT(lines == 1, "%u interrupts are %s", lines, dev->irq);

	return count;
}

static u64 seen(struct guest *g, unsigned int cpu)
{
	return READ_ONCE(g->shared->seen[cpu]);
}

static void *vcpu_thread(void *arg)
{
	struct runner *runner = arg;
	struct kvm_vcpu *vcpu = runner->vcpu;
	struct ucall uc;

	WRITE_ONCE(runner->tid, gettid());
	while (1) {
		if (!__vcpu_run(vcpu)) {
			if (get_ucall(vcpu, &uc) == UCALL_ABORT)
				REPORT_GUEST_ASSERT(uc);
			TEST_FAIL("the guest left with %s",
				  exit_reason_str(vcpu->run->exit_reason));
		}
		TEST_ASSERT(errno == EINTR, "KVM_RUN: %s", strerror(errno));
		if (READ_ONCE(vcpu->run->immediate_exit))
			return NULL;
	}
}

static void guest_route(struct guest *g)
{
	struct {
		struct kvm_irq_routing header;
		struct kvm_irq_routing_entry entry;
	} routing = {
		.header.nr = 1,
		.entry = {
			.gsi = GSI,
			.type = KVM_IRQ_ROUTING_MSI,
			.flags = KVM_MSI_VALID_DEVID,
			.u.msi = {
				.address_lo = GITS_BASE_GPA + GITS_TRANSLATER,
				.data = EVENT,
				.devid = DEVICE,
			},
		},
	};

	vm_ioctl(g->vm, KVM_SET_GSI_ROUTING, &routing.header);
}

static void guest_attach(struct guest *g)
{
	kvm_assign_irqfd(g->vm, GSI, g->dev->event);
}

static void guest_detach(struct guest *g)
{
	kvm_deassign_irqfd(g->vm, GSI, g->dev->event);
}

static void device_send_msi(struct device *dev)
{
	if (dev->vfio)
		vfio_pci_driver_send_msi(dev->vfio);
	else
		TEST_ASSERT(!edu_raise(&dev->edu), "edu: %s", strerror(errno));
}

/* Drop MSIs that the device sent while no guest had it. */
static void device_drain(struct device *dev)
{
	u64 count;

	if (read(dev->event, &count, sizeof(count)) < 0)
		TEST_ASSERT(errno == EAGAIN, "eventfd: %s", strerror(errno));
}

/**
 * guest_start() - Start a VM and attach a device to it
 * @g: the VM, filled in
 * @dev: the device
 *
 * Return: 0 or -errno.
 */
static int guest_start(struct guest *g, struct device *dev)
{
	struct kvm_vcpu *vcpus[NR_VCPUS];
	gpa_t base;
	int i;

	g->dev = dev;
	g->vm = vm_create_with_vcpus(NR_VCPUS, guest_code, vcpus);
	vm_init_descriptor_tables(g->vm);
	vm_install_exception_handler(g->vm, VECTOR_IRQ_CURRENT, guest_irq);
	for (i = 0; i < NR_VCPUS; i++)
		vcpu_init_descriptor_tables(vcpus[i]);

	base = (vm_compute_max_gfn(g->vm) + 1) * g->vm->page_size - NR_AREAS * SZ_64K;
	vm_userspace_mem_region_add(g->vm, VM_MEM_SRC_ANONYMOUS, base, 1,
				    NR_AREAS * SZ_64K / g->vm->page_size, 0);
	virt_map(g->vm, base + AREA_QUEUE * SZ_64K, base + AREA_QUEUE * SZ_64K,
		 vm_calc_num_guest_pages(g->vm->mode, SZ_64K));
	*(u8 *)addr_gpa2hva(g->vm, base + AREA_PROPS * SZ_64K) = LPI_ON;

	g->its = vgic_its_setup(g->vm);
	g->shared = addr_gva2hva(g->vm, (gva_t)&shared);
	g->shared->areas = base;

	for (i = 0; i < NR_VCPUS; i++) {
		g->runners[i].vcpu = vcpus[i];
		kvm_pthread_create(&g->runners[i].thread, NULL, vcpu_thread, &g->runners[i]);
	}

	if (WAIT_FOR(READ_ONCE(g->shared->ready) == 2 * NR_VCPUS))
		return -ETIMEDOUT;

	device_drain(dev);
	guest_route(g);
	guest_attach(g);

	return 0;
}

static void guest_stop(struct guest *g)
{
	int i;

	for (i = 0; i < NR_VCPUS; i++) {
		WRITE_ONCE(g->runners[i].vcpu->run->immediate_exit, 1);
		pthread_kill(g->runners[i].thread, SIGUSR1);
	}
	for (i = 0; i < NR_VCPUS; i++)
		kvm_pthread_join(g->runners[i].thread, NULL);

	close(g->its);
	kvm_vm_free(g->vm);
}

/* Make vCPU 0 do something. It takes all interrupts that were pending before that is done. */
static int guest_do(struct guest *g, enum request request)
{
	WRITE_ONCE(g->shared->request, request);

	return WAIT_FOR(READ_ONCE(g->shared->request) == REQ_NONE);
}

/* Send one MSI and wait until a vCPU has taken it. */
static int raise_msi(struct guest *g, unsigned int cpu)
{
	u64 before = seen(g, cpu);

	device_send_msi(g->dev);

	return WAIT_FOR(seen(g, cpu) != before);
}

static int raise_msis(struct guest *g, unsigned int nr)
{
	int ret = 0;

	while (nr-- && !ret)
		ret = raise_msi(g, 0);

	return ret;
}

/* Send one MSI and wait until the host has taken it. */
static int raise_to_host(struct guest *g)
{
	u64 before = host_count(g->dev);

	device_send_msi(g->dev);

	return WAIT_FOR(host_count(g->dev) != before);
}

/**
 * struct counts - number of interrupts of the device
 * @guest: those that each vCPU has taken
 * @host: those that the host has taken
 */
struct counts {
	u64 guest[NR_VCPUS];
	u64 host;
};

static void count(struct guest *g, struct counts *c)
{
	unsigned int i;

	for (i = 0; i < NR_VCPUS; i++)
		c->guest[i] = seen(g, i);
	c->host = host_count(g->dev);
}

/**
 * expect() - Check and print how many interrupts have arrived
 * @g: the guest
 * @from: the counts before
 * @cpu0: number of interrupts that vCPU 0 must have taken since then
 * @cpu1: likewise for vCPU 1
 * @host: likewise for the host
 *
 * Return: 0 or -EPROTO.
 */
static int expect(struct guest *g, const struct counts *from, u64 cpu0, u64 cpu1, u64 host)
{
	u64 strange = READ_ONCE(g->shared->strange);
	struct counts c;

	count(g, &c);
	c.guest[0] -= from->guest[0];
	c.guest[1] -= from->guest[1];
	c.host -= from->host;
	ksft_print_msg("guest: %llu+%llu of %llu+%llu, host: %llu of %llu\n",
		       (unsigned long long)c.guest[0], (unsigned long long)c.guest[1],
		       (unsigned long long)cpu0, (unsigned long long)cpu1,
		       (unsigned long long)c.host, (unsigned long long)host);
	if (strange)
		ksft_print_msg("guest: %llu other interrupts\n", (unsigned long long)strange);

	return c.guest[0] == cpu0 && c.guest[1] == cpu1 && c.host == host && !strange ?
	       0 : -EPROTO;
}

/* Sends MSIs without waiting. Several may merge into one. */
struct storm {
	struct device *dev;
	pthread_t thread;
	atomic_bool stop;
	u64 sent;
};

static void *storm_thread(void *arg)
{
	struct storm *storm = arg;

	while (!atomic_load(&storm->stop)) {
		device_send_msi(storm->dev);
		storm->sent++;
		sched_yield();
	}

	return NULL;
}

static void storm_start(struct storm *storm, struct device *dev)
{
	storm->dev = dev;
	storm->sent = 0;
	atomic_init(&storm->stop, false);
	kvm_pthread_create(&storm->thread, NULL, storm_thread, storm);
}

static void storm_stop(struct storm *storm)
{
	atomic_store(&storm->stop, true);
	kvm_pthread_join(storm->thread, NULL);
}

/**
 * remap_in_storm() - Unmap and remap the interrupt while MSIs arrive
 * @g: the guest
 * @remap: unmaps and remaps the interrupt
 *
 * MSIs may be lost during the storm: some find no mapping, and unmapping an interrupt
 * drops its pending state. None may be lost afterwards.
 *
 * Return: 0 or -errno.
 */
static int remap_in_storm(struct guest *g, int (*remap)(struct guest *g))
{
	struct counts from, to;
	struct storm storm;
	int i, ret = 0;

	count(g, &from);
	storm_start(&storm, g->dev);
	for (i = 0; i < NR_REMAPS && !ret; i++) {
		u64 before = seen(g, 0);

		ret = remap(g);
		if (!ret)
			ret = WAIT_FOR(seen(g, 0) != before);
	}
	storm_stop(&storm);
	if (ret)
		return ret;

	guest_detach(g);
	device_drain(g->dev);
	ret = guest_do(g, REQ_SYNC);
	guest_attach(g);
	if (ret)
		return ret;

	count(g, &to);
	ksft_print_msg("storm: %llu sent, guest: %llu, host: %llu\n",
		       (unsigned long long)storm.sent,
		       (unsigned long long)(to.guest[0] - from.guest[0]),
		       (unsigned long long)(to.host - from.host));
	if (to.guest[0] - from.guest[0] > storm.sent || to.host - from.host > storm.sent)
		return -EPROTO;

	count(g, &from);
	ret = raise_msis(g, NR_MSIS);

	return expect(g, &from, NR_MSIS, 0, 0) ?: ret;
}

/*
 * Tests. Each is called with a guest that has the first device, and returns 0, -errno
 * or 1 for a skip.
 */

static struct device devices[NR_DEVICES];
static int nr_devices;

static int delivery(struct guest *g)
{
	struct counts from;
	int ret;

	count(g, &from);
	ret = raise_msis(g, NR_MSIS);

	return expect(g, &from, NR_MSIS, 0, 0) ?: ret;
}

/* The guest moves the interrupt from one vCPU to the other. */
static int affinity(struct guest *g)
{
	struct counts from;
	int i, ret = 0;

	count(g, &from);
	for (i = 0; i < NR_MSIS && !ret; i++) {
		g->shared->target = !(i % 2);
		ret = guest_do(g, REQ_MOVE);
		if (!ret)
			ret = raise_msi(g, !(i % 2));
	}

	return expect(g, &from, NR_MSIS / 2, NR_MSIS / 2, 0) ?: ret;
}

/* Number of context switches of a thread */
static u64 nr_switches(pid_t tid)
{
	char path[64], line[256], *p;
	u64 sum = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", tid);
	f = fopen(path, "re");
	TEST_ASSERT(f, "%s: %s", path, strerror(errno));
	while (fgets(line, sizeof(line), f)) {
		p = strstr(line, "voluntary_ctxt_switches:");
		if (p)
			sum += strtoull(strchr(p, ':') + 1, NULL, 10);
	}
	fclose(f);

	return sum;
}

/* Reserve a CPU for vCPU 0. */
static int give_cpu(struct guest *g, unsigned int cpu, unsigned int cpus)
{
	cpu_set_t set, rest;
	unsigned int i;
	int ret;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	CPU_ZERO(&rest);
	for (i = 0; i < cpus; i++) {
		if (i != cpu)
			CPU_SET(i, &rest);
	}

	ret = pthread_setaffinity_np(pthread_self(), sizeof(rest), &rest);
	if (!ret)
		ret = pthread_setaffinity_np(g->runners[1].thread, sizeof(rest), &rest);
	if (!ret)
		ret = pthread_setaffinity_np(g->runners[0].thread, sizeof(set), &set);

	return -ret;
}

/*
 * The host moves the vCPU from one CPU to the next. An MSI that the ITS sends to the
 * redistributor of the previous CPU becomes pending in memory, and the vCPU takes it
 * when it is scheduled again. So repeat each MSI until one arrives without a context
 * switch: few have to be.
 */
static int migration(struct guest *g)
{
	unsigned int cpus = sysconf(_SC_NPROCESSORS_ONLN), i, tries = 0;
	struct counts from;
	cpu_set_t all;
	u64 switches;
	int ret;

	if (cpus < 2)
		return SKIP("one CPU");

	ret = -pthread_getaffinity_np(pthread_self(), sizeof(all), &all);
	count(g, &from);
	for (i = 0; i < NR_MSIS && !ret; i++) {
		ret = give_cpu(g, i % cpus, cpus);
		do {
			switches = nr_switches(g->runners[0].tid);
			if (!ret)
				ret = raise_msi(g, 0);
			if (++tries == 2 * NR_MSIS)
				ret = ret ?: -EHOSTUNREACH;
		} while (!ret && nr_switches(g->runners[0].tid) != switches);
	}
	pthread_setaffinity_np(pthread_self(), sizeof(all), &all);
	ksft_print_msg("%u MSIs, %u of them without a context switch\n", tries, i);

	return expect(g, &from, tries, 0, 0) ?: ret;
}

/* The CPU of the vCPU goes off line, and comes back. */
static int cpu_offline(struct guest *g)
{
	unsigned int cpus = sysconf(_SC_NPROCESSORS_ONLN), i;
	struct counts from;
	cpu_set_t all;
	int ret;

	if (cpus < 2)
		return SKIP("one CPU");

	ret = -pthread_getaffinity_np(pthread_self(), sizeof(all), &all);
	count(g, &from);
	for (i = 0; i < NR_OFFLINES && !ret; i++) {
		/* The vCPU is on the last CPU, but not bound to it when that goes away. */
		ret = give_cpu(g, cpus - 1, cpus) ?: raise_msi(g, 0);
		if (!ret)
			ret = -pthread_setaffinity_np(g->runners[0].thread, sizeof(all), &all);
		if (!ret)
			ret = cpu_set_online(cpus - 1, false);
		if (ret)
			break;

		ret = raise_msi(g, 0);
		if (cpu_set_online(cpus - 1, true))
			ret = -EIO;
	}
	pthread_setaffinity_np(pthread_self(), sizeof(all), &all);

	return expect(g, &from, 2 * NR_OFFLINES, 0, 0) ?: ret;
}

/* The system is suspended while the vPEs are mapped. */
static int suspend(struct guest *g)
{
	struct counts from;
	int ret;

	if (access("/sys/power/pm_test", W_OK))
		return SKIP("no CONFIG_PM_DEBUG");

	count(g, &from);
	ret = raise_msis(g, NR_MSIS) ?: system_suspend() ?: raise_msis(g, NR_MSIS);

	return expect(g, &from, 2 * NR_MSIS, 0, 0) ?: ret;
}

static int reattach(struct guest *g)
{
	guest_detach(g);
	guest_attach(g);

	return 0;
}

/* The host detaches the interrupt from the guest and attaches it again. */
static int remap_host(struct guest *g)
{
	struct counts from;
	int i, ret = 0;
	u64 before;

	count(g, &from);
	for (i = 0; i < NR_MSIS && !ret; i++) {
		before = seen(g, 0);
		guest_detach(g);
		ret = raise_to_host(g);
		if (!ret && seen(g, 0) != before)
			ret = -EEXIST;

		/* The MSI has waited in the eventfd. */
		guest_attach(g);
		if (!ret)
			ret = WAIT_FOR(seen(g, 0) == before + 1);
		if (!ret)
			ret = raise_msi(g, 0);
	}
	ret = expect(g, &from, 2 * NR_MSIS, 0, NR_MSIS) ?: ret;

	return ret ?: remap_in_storm(g, reattach);
}

static int remap_by_guest(struct guest *g)
{
	return guest_do(g, REQ_DISCARD) ?: guest_do(g, REQ_MAP) ?: reattach(g);
}

/*
 * The guest discards its mapping and maps the interrupt again. From then on KVM injects
 * it through the host, until the host attaches it again.
 *
 * An MSI that finds no mapping is lost. KVM may leave its injection to a worker, which
 * detaching waits for: later, it would find the new mapping.
 */
static int remap_guest(struct guest *g)
{
	struct counts from;
	int i, ret = 0;

	count(g, &from);
	for (i = 0; i < NR_MSIS && !ret; i++) {
		ret = guest_do(g, REQ_DISCARD);
		if (!ret)
			ret = raise_to_host(g);
		reattach(g);
		if (!ret)
			ret = guest_do(g, REQ_MAP);
		if (!ret)
			ret = raise_msi(g, 0);
		reattach(g);
		if (!ret)
			ret = raise_msi(g, 0);
	}
	ret = expect(g, &from, 2 * NR_MSIS, 0, 2 * NR_MSIS) ?: ret;

	return ret ?: remap_in_storm(g, remap_by_guest);
}

static void *raise_thread(void *arg)
{
	return (void *)(long)raise_msis(arg, NR_MSIS);
}

/* Two VMs have a device each, and both receive MSIs at the same time. */
static int two_vms(struct guest *g)
{
	struct guest other = {};
	struct counts from[2];
	pthread_t thread;
	void *res;
	int ret;

	if (nr_devices < 2)
		return SKIP("fewer than two devices");

	ret = guest_start(&other, &devices[1]);
	if (ret)
		goto out_stop;

	count(g, &from[0]);
	count(&other, &from[1]);
	kvm_pthread_create(&thread, NULL, raise_thread, &other);
	ret = raise_msis(g, NR_MSIS);
	kvm_pthread_join(thread, &res);
	ret = ret ?: (long)res;
	ret = expect(g, &from[0], NR_MSIS, 0, 0) ?: ret;
	ret = expect(&other, &from[1], NR_MSIS, 0, 0) ?: ret;

out_stop:
	guest_stop(&other);

	return ret;
}

/* The vCPU is blocked in WFI: the doorbell of its vPE wakes it. */
static int doorbell(struct guest *g)
{
	struct counts from;
	u64 rung;
	int i, ret = 0;

	count(g, &from);
	rung = doorbells(NULL);
	WRITE_ONCE(g->shared->sleep, true);
	for (i = 0; i < NR_MSIS && !ret; i++) {
		ret = WAIT_FOR(vcpu_get_stat(g->runners[0].vcpu, blocking));
		if (!ret)
			ret = raise_msi(g, 0);
	}
	rung = doorbells(NULL) - rung;
	ksft_print_msg("rang %llu times\n", (unsigned long long)rung);
	if (rung != NR_MSIS)
		ret = ret ?: -EPROTO;

	return expect(g, &from, NR_MSIS, 0, 0) ?: ret;
}

/* The VM that is killed. It reports how many interrupts it has taken. */
static void victim(struct device *dev, u64 *progress)
{
	struct guest g = {};

	if (guest_start(&g, dev))
		_exit(1);
	while (1) {
		WRITE_ONCE(*progress, seen(&g, 0));
		usleep(100);
	}
}

/* A VM is killed while its device sends MSIs. The next VM with that device works. */
static int killed(struct guest *g)
{
	struct device *dev = &devices[1];
	struct storm storm;
	unsigned int vpes;
	int status, ret;
	u64 *progress;
	pid_t pid;

	if (nr_devices < 2)
		return SKIP("fewer than two devices");

	vpes = nr_doorbells();
	progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	TEST_ASSERT(progress != MAP_FAILED, "mmap: %s", strerror(errno));
	fflush(stdout);
	pid = fork();
	TEST_ASSERT(pid >= 0, "fork: %s", strerror(errno));
	if (!pid)
		victim(dev, progress);

	storm_start(&storm, dev);
	ret = WAIT_FOR(READ_ONCE(*progress) >= NR_MSIS);
	if (!ret && nr_doorbells() != vpes + NR_VCPUS)
		ret = -ENOENT;
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	if (!ret && (!WIFSIGNALED(status) || WTERMSIG(status) != SIGKILL))
		ret = -ECHILD;
	/* No vPE of the VM is left. */
	if (!ret)
		ret = WAIT_FOR(nr_doorbells() == vpes);
	storm_stop(&storm);
	munmap(progress, sizeof(*progress));

	return ret ?: two_vms(g);
}

/*
 * A malicious host. While a vPE is resident, only the redistributor that has it writes to its
 * pending table.
 */

static bool is_resident(struct rdist *rd)
{
	return rdist_read64(rd, VLPI_BASE + GICR_VPENDBASER) & GICR_VPENDBASER_Valid;
}

static int pin_thread(pthread_t thread, unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);

	return -pthread_setaffinity_np(thread, sizeof(set), &set);
}

/*
 * The vCPUs have the first CPUs, and the attacker the next, as EL2 ignores a write of
 * GICR_VPENDBASER from another CPU than the redistributor's. There is one more.
 */
static int pin_guest(struct guest *g)
{
	unsigned int i;
	int ret;

	ret = pin_thread(pthread_self(), NR_VCPUS);
	for (i = 0; i < NR_VCPUS && !ret; i++)
		ret = pin_thread(g->runners[i].thread, i);
	for (i = 0; i < NR_VCPUS && !ret; i++)
		ret = WAIT_FOR(is_resident(&rdists[i]));

	return ret;
}

/* The vCPU comes to another CPU, and so everything the GIC knows of its vPE is set anew. */
static int heal_guest(struct guest *g, const cpu_set_t *cpus)
{
	pthread_setaffinity_np(pthread_self(), sizeof(*cpus), cpus);

	return pin_thread(g->runners[0].thread, NR_VCPUS + 1) ?: guest_do(g, REQ_SYNC);
}

static int with_pinned_guest(struct guest *g, int (*attack)(struct guest *g, struct rdist *from,
							    struct rdist *to))
{
	struct counts from;
	cpu_set_t cpus;
	int ret, err;

	if (nr_rdists < NR_VCPUS + 2)
		return SKIP("fewer than four CPUs");
	if (its.typer & GITS_TYPER_VMAPP)
		return SKIP("no register of a GICv4.1 names a pending table");

	err = -pthread_getaffinity_np(pthread_self(), sizeof(cpus), &cpus);
	if (err)
		return err;

	ret = pin_guest(g) ?: attack(g, &rdists[0], &rdists[NR_VCPUS]);
	err = heal_guest(g, &cpus);
	if (ret || err)
		return ret ?: err;

	count(g, &from);
	ret = raise_msis(g, NR_MSIS);

	return expect(g, &from, NR_MSIS, 0, 0) ?: ret;
}

/* Another redistributor gets the tables of a vPE that is resident. */
static int steal(struct guest *g, struct rdist *from, struct rdist *to)
{
	u64 prop = rdist_read64(to, VLPI_BASE + GICR_VPROPBASER);
	u64 pend = rdist_read64(from, VLPI_BASE + GICR_VPENDBASER);
	bool stolen;

	if (is_resident(to))
		return -EBUSY;

	rdist_write64(to, VLPI_BASE + GICR_VPROPBASER,
		      rdist_read64(from, VLPI_BASE + GICR_VPROPBASER));
	rdist_write64(to, VLPI_BASE + GICR_VPENDBASER, pend | GICR_VPENDBASER_Valid);
	stolen = is_resident(to);
	rdist_write64(to, VLPI_BASE + GICR_VPENDBASER, pend & ~GICR_VPENDBASER_Valid);
	rdist_write64(to, VLPI_BASE + GICR_VPROPBASER, prop);

	ksft_print_msg("the vPE is resident %s\n", stolen ? "twice" : "once");

	return stolen == (pkvm_its_mode() == PKVM_ITS_DIRECT) ? 0 : -EPROTO;
}

static int stolen_vpe(struct guest *g)
{
	return with_pinned_guest(g, steal);
}

static u64 rdbase(struct rdist *rd)
{
	return its.typer & GITS_TYPER_PTA ? rd->base : (u64)GICR_TYPER_CPU_NUMBER(rd->typer) << 16;
}

static bool is_pending(u64 vpt)
{
	u64 word = 0;

	return !phys_read64(vpt + LPI_FIRST / 8, &word) && word & 1;
}

/* The host has another redistributor write to the pending table, and sees that it does. */
static int move_away(struct guest *g, u64 vpt)
{
	device_send_msi(g->dev);

	return WAIT_FOR(is_pending(vpt));
}

/* EL2 may be asked while the vCPU is not there for a moment. */
static int try_to_move(struct its_cmd *away, struct its_cmd *back)
{
	u64 before, after;
	int i, ret;

	for (i = 0; i < MAX_TRIES; i++) {
		ret = its_stat(&its, "refused_vpe_resident", &before) ?: its_post(&its, away, 1) ?:
		      its_stat(&its, "refused_vpe_resident", &after);
		provoked += after - before;
		if (ret || after != before)
			return ret;

		ret = its_post(&its, back, 1);
		if (ret)
			return ret;
	}

	return -EPROTO;
}

/*
 * The ITS is told to send the interrupts of a vPE that is resident to another redistributor.
 * This VM is the only one, and has the first vPEIDs.
 */
static int move(struct guest *g, struct rdist *from, struct rdist *to)
{
	u64 vpt = rdist_read64(from, VLPI_BASE + GICR_VPENDBASER) & MASK64(51, 16);
	struct its_cmd away = { { GITS_CMD_VMOVP, 0, rdbase(to) } };
	struct its_cmd back = { { GITS_CMD_VMOVP, 0, rdbase(from) } };
	int ret;

	if (nr_doorbells() != NR_VCPUS || !(its.typer & GITS_TYPER_VMOVP))
		return SKIP("other vPEs, or an ITS list");

	if (pkvm_its_mode() == PKVM_ITS_DIRECT)
		ret = its_post(&its, &away, 1) ?: move_away(g, vpt);
	else
		ret = try_to_move(&away, &back);

	return its_return(&its) ?: ret;
}

static int moved_resident_vpe(struct guest *g)
{
	return with_pinned_guest(g, move);
}

static const struct {
	const char *name;
	int (*fn)(struct guest *g);
} tests[] = {
	{ "delivery", delivery },
	{ "affinity", affinity },
	{ "migration", migration },
	{ "remap_host", remap_host },
	{ "remap_guest", remap_guest },
	{ "doorbell", doorbell },
	{ "two_vms", two_vms },
	{ "cpu_offline", cpu_offline },
	{ "suspend", suspend },
	{ "stolen_vpe", stolen_vpe },
	{ "moved_resident_vpe", moved_resident_vpe },
	{ "killed", killed },
};

/* Number of commands that EL2 has refused; 0 if the ITSs are not confined */
static u64 nr_refused(void)
{
	u64 nr = 0;

	if (its_has_stats(&its))
		TEST_ASSERT(!its_stat(&its, "refused", &nr), "no statistics of the ITS");

	return nr;
}

static int run(int (*fn)(struct guest *g))
{
	u64 refused = nr_refused();
	struct guest g = {};
	int ret;

	provoked = 0;
	ret = guest_start(&g, &devices[0]);
	if (!ret)
		ret = fn(&g);
	guest_stop(&g);

	refused = nr_refused() - refused - provoked;
	if (refused)
		ksft_print_msg("EL2 refused %llu commands\n", (unsigned long long)refused);

	return log_complaints(kmsg) || refused ? -EPROTO : ret;
}

/*
 * Devices
 */

static void igb_open(struct device *dev, const char *bdf)
{
	struct iommu *iommu = iommu_init(default_iommu_mode);
	struct iova_allocator *allocator;
	struct dma_region *region;

	dev->vfio = vfio_pci_device_init(bdf, iommu);

	allocator = iova_allocator_init(iommu);
	region = &dev->vfio->driver.region;
	region->size = SZ_2M;
	region->iova = iova_allocator_alloc(allocator, region->size);
	region->vaddr = kvm_mmap(region->size, PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1);
	iommu_map(iommu, region);
	iova_allocator_cleanup(allocator);

	vfio_pci_driver_init(dev->vfio);
	dev->event = dev->vfio->msi_eventfds[dev->vfio->driver.msi];
	fcntl_set_nonblock(dev->event);
	snprintf(dev->irq, sizeof(dev->irq), "vfio-msix[%d](%s)", dev->vfio->driver.msi, bdf);
}

static void igb_close(struct device *dev)
{
	struct iommu *iommu = dev->vfio->iommu;

	vfio_pci_driver_remove(dev->vfio);
	iommu_unmap(iommu, &dev->vfio->driver.region);
	vfio_pci_device_cleanup(dev->vfio);
	iommu_cleanup(iommu);
}

static unsigned int pci_id(const char *bdf, const char *attr)
{
	char path[512], buf[32];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/%s", bdf, attr);
	if (sysfile_read(path, buf, sizeof(buf)) < 0)
		return 0;

	return strtoul(buf, NULL, 0);
}

/* A device that has a driver may be in use. */
static bool is_free(const char *bdf)
{
	char driver[64];

	pci_get_driver(bdf, driver, sizeof(driver));

	return !driver[0] || !strcmp(driver, "vfio-pci");
}

static void igbs_open(void)
{
	static char bdf[NR_DEVICES][16];
	struct dirent *de;
	int i, ret;
	DIR *dir;

	dir = opendir("/sys/bus/pci/devices");
	while (dir && (de = readdir(dir)) && nr_devices < NR_DEVICES) {
		if (pci_id(de->d_name, "vendor") == PCI_VENDOR_ID_INTEL &&
		    pci_id(de->d_name, "device") == DEVICE_ID_82576 && is_free(de->d_name))
			snprintf(bdf[nr_devices++], sizeof(bdf[0]), "%.15s", de->d_name);
	}
	if (dir)
		closedir(dir);

	for (i = 0; i < nr_devices; i++) {
		ret = pci_set_driver(bdf[i], "vfio-pci");
		if (ret)
			ksft_exit_fail_msg("%s: %s\n", bdf[i], strerror(-ret));
		igb_open(&devices[i], bdf[i]);
	}
}

static void edus_open(void)
{
	struct pci_dev pci[MAX_PCI];
	struct device *dev;
	int i, nr, ret;

	nr = pci_find(pci, MAX_PCI);
	for (i = 0; i < nr && nr_devices < NR_DEVICES; i++) {
		if (!pci[i].edu)
			continue;

		dev = &devices[nr_devices++];
		dev->pci = pci[i];
		pci_to_vfio(&dev->pci, 1);
		ret = vdev_open(&dev->edu, &dev->pci) ?:
		      vdev_vectors(&dev->edu, 0, 1, &dev->edu.event, 1);
		if (ret)
			ksft_exit_fail_msg("%s: %s\n", dev->pci.bdf, strerror(-ret));

		dev->event = dev->edu.event;
		snprintf(dev->irq, sizeof(dev->irq), "vfio-msi[0](%s)", dev->pci.bdf);
	}
}

static void devices_open(void)
{
	igbs_open();
	if (!nr_devices)
		edus_open();
}

static void devices_close(void)
{
	struct device *dev;

	while (nr_devices) {
		dev = &devices[--nr_devices];
		if (dev->vfio)
			igb_close(dev);
		else
			vdev_close(&dev->edu);
	}
}

/* KVM uses direct injection only if it is enabled on the command line. */
static bool wants_direct(void)
{
	char line[4096];

	return sysfile_read("/proc/cmdline", line, sizeof(line)) > 0 &&
	       strstr(line, "kvm-arm.vgic_v4_enable=1");
}

static void no_handler(int sig)
{
}

static void print_usage(const char *prog)
{
	printf("usage: %s [-l] [-t name]\n"
	       "  -l       list the cases\n"
	       "  -t name  run one of them\n", prog);
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = no_handler };
	enum pkvm_its_mode mode;
	const char *only = NULL;
	unsigned int i, nr = 0;
	int opt, ret;

	while ((opt = getopt(argc, argv, "lt:h")) != -1) {
		switch (opt) {
		case 'l':
			for (i = 0; i < ARRAY_SIZE(tests); i++)
				puts(tests[i].name);
			return 0;
		case 't':
			only = optarg;
			break;
		default:
			print_usage(argv[0]);
			return opt == 'h' ? 0 : KSFT_FAIL;
		}
	}
	for (i = 0; i < ARRAY_SIZE(tests); i++)
		nr += !only || !strcmp(only, tests[i].name);
	if (!nr) {
		fprintf(stderr, "%s: no case '%s'\n", argv[0], only);
		return KSFT_FAIL;
	}

	setvbuf(stdout, NULL, _IOLBF, 0);
	ksft_print_header();
	pkvm_its_setup();
	sigaction(SIGUSR1, &sa, NULL);

	mode = pkvm_its_mode();
	if (mode == PKVM_ITS_FAILED)
		ksft_exit_fail_msg("the kernel failed to confine the ITSs\n");
	if (its_count() <= 0)
		ksft_exit_skip("no ITS\n");
	if (its_open(&its, 0))
		ksft_exit_fail_msg("no ITS\n");
	if (!(its.typer & GITS_TYPER_VLPIS))
		ksft_exit_skip("no GICv4\n");
	if (!wants_direct())
		ksft_exit_skip("no kvm-arm.vgic_v4_enable=1\n");
	if (!vfio_present())
		ksft_exit_skip("no vfio-pci\n");

	kmsg = log_open();
	if (kmsg < 0)
		ksft_exit_fail_msg("/dev/kmsg: %s\n", strerror(-kmsg));

	devices_open();
	if (!nr_devices)
		ksft_exit_skip("no 82576 without a driver, and no edu\n");

	if (its_find_staging(&its))
		ksft_exit_fail_msg("no staging queue\n");
	do {
		ret = rdist_open(&rdists[nr_rdists], nr_rdists);
	} while (!ret && ++nr_rdists < MAX_RDISTS);
	if (ret && ret != -ENOENT)
		ksft_exit_fail_msg("redistributor %u: %s\n", nr_rdists, strerror(-ret));

	ksft_print_msg("the ITSs are %s\n", pkvm_its_mode_name(mode));

	ksft_set_plan(nr);
	for (i = 0; i < ARRAY_SIZE(tests); i++) {
		if (!only || !strcmp(only, tests[i].name))
			report(tests[i].name, run(tests[i].fn));
	}

	devices_close();
	while (nr_rdists)
		rdist_close(&rdists[--nr_rdists]);
	its_close(&its);

	ksft_finished();
}
