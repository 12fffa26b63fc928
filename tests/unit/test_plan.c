// SPDX-License-Identifier: GPL-2.0-or-later
/* The choice of hooks: the first that can be used and is allowed, for what is wanted, or none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
/* cmocka.h needs the four above. */
#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "kernel/plan.h"

static struct sf_usable all_usable(void)
{
	struct sf_usable usable;

	memset(&usable, 1, sizeof(usable));
	return usable;
}

static void forbid(struct sf_usable *usable, enum sf_attach attach)
{
	for (int i = 0; i < SF_HOOK_NR; i++)
		for (int k = 0; k < SF_HOOK_ALTS; k++)
			if (sf_hooks[i].alts[k].prog && sf_hooks[i].alts[k].attach == attach)
				usable->alt[i][k] = false;
}

static struct sf_plan plan_of(enum sf_tier tier, uint32_t wanted, const struct sf_usable *usable)
{
	struct sf_plan plan;

	assert_int_equal(sf_plan_build(tier, wanted, usable, &plan), 0);
	return plan;
}

/* What is counted nowhere is not told at the end: where no drop is seen, it is not even tried. */
static void test_untold(void **state)
{
	struct sf_usable usable = all_usable();
	struct sf_plan plan;

	(void)state;
	plan = plan_of(SF_TIER_TRACEPOINTS, SF_WANT_ALL, &usable);
	assert_true(sf_plan_misses(&plan, SF_HOOK_UNTOLD));
	assert_false(sf_plan_uses(&plan, "untold_iter"));
	plan = plan_of(SF_TIER_KPROBE, SF_WANT_ALL, &usable);
	assert_true(sf_plan_uses(&plan, "untold_iter"));
}

/* What the rest of the program takes for granted of the table. */
static void test_table(void **state)
{
	(void)state;
	for (int i = 0; i < SF_HOOK_NR; i++) {
		const struct sf_hook *hook = &sf_hooks[i];

		assert_non_null(hook->name);
		assert_non_null(hook->gives);
		assert_non_null(hook->lost);
		assert_non_null(hook->alts[0].prog);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(hook->name, sf_hooks[k].name);
		for (int k = 0; k < SF_HOOK_ALTS && hook->alts[k].prog; k++) {
			assert_non_null(hook->alts[k].target);
			assert_in_range(hook->alts[k].attach, SF_ATTACH_TP, SF_ATTACH_NR - 1);
		}
		/* Without the required ones there is nothing to trace: they need no tier. */
		if (hook->is_required) {
			assert_int_equal(hook->alts[0].attach, SF_ATTACH_TP);
			assert_int_equal(hook->alts[0].serves, 0);
		}
	}
}

static void test_best_first(void **state)
{
	struct sf_usable usable = all_usable();
	struct sf_plan plan = plan_of(SF_TIER_FULL, SF_WANT_ALL, &usable);

	(void)state;
	for (int i = 0; i < SF_HOOK_NR; i++) {
		assert_int_equal(plan.choice[i], 0);
		assert_ptr_equal(sf_plan_alt(&plan, (enum sf_hook_id)i), &sf_hooks[i].alts[0]);
		assert_false(sf_plan_misses(&plan, (enum sf_hook_id)i));
	}
	assert_int_equal(sf_plan_tier(&plan), SF_TIER_FULL);
	assert_true(sf_plan_uses(&plan, "state_tp"));
	assert_false(sf_plan_uses(&plan, "connect_kprobe"));
	assert_false(sf_plan_uses(&plan, "no such program"));
}

static void test_a_tier_forbids(void **state)
{
	struct sf_usable usable = all_usable();
	struct sf_plan plan = plan_of(SF_TIER_KPROBE, SF_WANT_ALL, &usable);

	(void)state;
	assert_int_equal(sf_plan_tier(&plan), SF_TIER_KPROBE);
	assert_string_equal(sf_plan_alt(&plan, SF_HOOK_CONNECT)->prog, "connect_kprobe");
	plan = plan_of(SF_TIER_TRACEPOINTS, SF_WANT_ALL, &usable);
	assert_int_equal(sf_plan_tier(&plan), SF_TIER_TRACEPOINTS);
	assert_null(sf_plan_alt(&plan, SF_HOOK_CONNECT));
	assert_true(sf_plan_misses(&plan, SF_HOOK_CONNECT));
	assert_string_equal(sf_plan_alt(&plan, SF_HOOK_ACCEPT)->prog, "syscall_exit");
}

/* As on a kernel that refuses fentry and has no kprobes. */
static void test_the_kernel_forbids(void **state)
{
	struct sf_usable usable = all_usable();
	struct sf_plan plan;

	(void)state;
	forbid(&usable, SF_ATTACH_FENTRY);
	plan = plan_of(SF_TIER_FULL, SF_WANT_ALL, &usable);
	assert_int_equal(sf_plan_tier(&plan), SF_TIER_KPROBE);
	forbid(&usable, SF_ATTACH_KPROBE);
	plan = plan_of(SF_TIER_FULL, SF_WANT_ALL, &usable);
	assert_int_equal(sf_plan_tier(&plan), SF_TIER_TRACEPOINTS);
	assert_true(sf_plan_misses(&plan, SF_HOOK_HANDSHAKE));
}

static void test_a_required_hook(void **state)
{
	struct sf_usable usable = all_usable();
	struct sf_plan plan = { .choice = { 42 } };

	(void)state;
	usable.alt[SF_HOOK_DESTROY][0] = false;
	assert_int_equal(sf_plan_build(SF_TIER_FULL, SF_WANT_ALL, &usable, &plan), -ENOENT);
	assert_int_equal(plan.choice[0], 42); /* left alone */
}

/* What nobody wants is neither used nor missed. */
static void test_unwanted(void **state)
{
	struct sf_usable usable = all_usable();
	struct sf_plan plan = plan_of(SF_TIER_FULL, 0, &usable);

	(void)state;
	assert_null(sf_plan_alt(&plan, SF_HOOK_BIND));
	assert_false(sf_plan_misses(&plan, SF_HOOK_BIND));
	assert_false(sf_plan_uses(&plan, "bind_fentry"));
	assert_non_null(sf_plan_alt(&plan, SF_HOOK_HANDSHAKE));
	plan = plan_of(SF_TIER_FULL, SF_WANT_STEPS, &usable);
	assert_non_null(sf_plan_alt(&plan, SF_HOOK_BIND));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_untold),
		cmocka_unit_test(test_best_first),
		cmocka_unit_test(test_a_tier_forbids),
		cmocka_unit_test(test_the_kernel_forbids),
		cmocka_unit_test(test_a_required_hook),
		cmocka_unit_test(test_unwanted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
