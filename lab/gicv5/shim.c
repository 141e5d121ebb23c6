// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel's functions that the ISTs of GICv5 guests use, and a KUnit that runs one suite
 * after the other. With an argument it runs the tests that have it in their name.
 */

__thread struct task_struct shim_task;
bool shim_protected;

static struct {
	void	*real;
	void	*replacement;
} stubs[8];
static int nr_stubs;

void mutex_init(struct mutex *m)
{
	pthread_mutex_init(&m->lock, NULL);
	m->held = false;
}

struct mutex *mutex_lock(struct mutex *m)
{
	pthread_mutex_lock(&m->lock);
	m->owner = pthread_self();
	m->held = true;
	return m;
}

void mutex_unlock(struct mutex *m)
{
	m->held = false;
	pthread_mutex_unlock(&m->lock);
}

void lockdep_assert_held(struct mutex *m)
{
	if (!m->held || m->owner != pthread_self()) {
		fprintf(stderr, "a lock is not held\n");
		abort();
	}
}

/* As kmalloc(): aligned to a size that is a power of two, with a warning if it is too large */
void *kmalloc(size_t size, int gfp)
{
	size_t align = size & (size - 1) || size < 8 ? 8 : size;
	void *mem;

	if (size > KMALLOC_MAX_SIZE) {
		if (gfp & __GFP_NOWARN)
			return NULL;
		fprintf(stderr, "kmalloc() warns of %zu bytes\n", size);
		abort();
	}
	return posix_memalign(&mem, align, size) ? NULL : mem;
}

void *kzalloc(size_t size, int gfp)
{
	void *mem = kmalloc(size, gfp);

	return mem ? memset(mem, 0, size) : NULL;
}

void kfree(const void *mem)
{
	free((void *)mem);
}

void init_completion(struct completion *c)
{
	pthread_mutex_init(&c->lock, NULL);
	pthread_cond_init(&c->cond, NULL);
	c->done = false;
}

void complete(struct completion *c)
{
	pthread_mutex_lock(&c->lock);
	c->done = true;
	pthread_cond_signal(&c->cond);
	pthread_mutex_unlock(&c->lock);
}

void wait_for_completion(struct completion *c)
{
	pthread_mutex_lock(&c->lock);
	while (!c->done)
		pthread_cond_wait(&c->cond, &c->lock);
	pthread_mutex_unlock(&c->lock);
}

struct start {
	int	(*fn)(void *data);
	void	*data;
};

static void *thread(void *data)
{
	struct start start = *(struct start *)data;

	free(data);
	start.fn(start.data);
	return NULL;
}

struct task_struct *shim_kthread_run(int (*fn)(void *data), void *data)
{
	struct start *start = malloc(sizeof(*start));
	pthread_t id;

	*start = (struct start) { fn, data };
	if (pthread_create(&id, NULL, thread, start))
		return ERR_PTR(-ENOMEM);
	pthread_detach(id);
	return current;
}

void *kunit_kzalloc(struct kunit *test, size_t size, int gfp)
{
	return test->mem[test->nr_mem++] = calloc(1, size);
}

void shim_fail(struct kunit *test, bool abort, const char *file, int line, const char *what)
{
	fprintf(stderr, "# %s:%d: %s\n", strrchr(file, '/') ? strrchr(file, '/') + 1 : file,
		line, what);
	test->failed = true;
	if (abort)
		longjmp(test->abort, 1);
}

void shim_stub(void *real, void *replacement)
{
	stubs[nr_stubs].real = real;
	stubs[nr_stubs++].replacement = replacement;
}

void *shim_stub_of(void *real)
{
	int i;

	for (i = 0; current->kunit_test && i < nr_stubs; i++) {
		if (stubs[i].real == real)
			return stubs[i].replacement;
	}
	return NULL;
}

static const struct kunit_suite *all_suites[8];
static int nr_suites;

void shim_add_suites(struct kunit_suite **suites)
{
	while (*suites)
		all_suites[nr_suites++] = *suites++;
}

static bool run(const struct kunit_suite *suite, const struct kunit_case *c)
{
	struct kunit test = {};

	current->kunit_test = &test;
	if (!setjmp(test.abort) && (!suite->init || !suite->init(&test)))
		c->run(&test);
	if (suite->exit)
		suite->exit(&test);
	current->kunit_test = NULL;
	nr_stubs = 0;
	while (test.nr_mem)
		free(test.mem[--test.nr_mem]);
	return !test.failed;
}

int main(int argc, char **argv)
{
	const char *program = strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0];
	const struct kunit_case *c;
	int protected, i, n = 0, bad = 0;
	char name[200];

	printf("KTAP version 1\n");
	for (protected = 0; protected < 2; protected++) {
		shim_protected = protected;
		for (i = 0; i < nr_suites; i++) {
			for (c = all_suites[i]->test_cases; c->run; c++) {
				bool ok;

				snprintf(name, sizeof(name), "%s %s.%s%s", program,
					 all_suites[i]->name, c->name,
					 protected ? " with pKVM" : "");
				if (argc > 1 && !strstr(name, argv[1]))
					continue;
				ok = run(all_suites[i], c);
				bad += !ok;
				printf("%sok %d %s\n", ok ? "" : "not ", ++n, name);
				fflush(stdout);
			}
		}
	}
	printf("1..%d\n", n);
	return !!bad;
}
