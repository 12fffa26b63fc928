# SPDX-License-Identifier: GPL-2.0-or-later
#
# Builds synfin, tests it and installs it; `make help` lists targets and
# variables. One make for all folders. Everything it makes goes to .output/:
# bpf/*.bpf.c become one BPF object and its skeleton (.output/bpf), snapshot.bpf.c
# another that only a snapshot loads; user/ one program that holds them
# (.output/synfin). To build never needs root.

VERSION := 0.1.0

O      ?= .output
PREFIX ?= /usr/local
SYSCONFDIR ?= /etc
V      ?= 0
WERROR ?= 0
STAGES ?=
SANITIZE ?= 0
ARGS   ?=

ifeq ($(origin CC),default)
CC := gcc
endif
PKG_CONFIG ?= pkg-config
INSTALL    ?= install
CFLAGS     ?= -O2 -g
BPF_CFLAGS ?= -O2

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules --no-print-directory

ifneq ($(filter $(abspath $(O))/%,$(CURDIR)/),)
$(error O=$(O) holds the sources: give a folder of its own)
endif

# ---- words ----

# $(call say,WHAT,FILE): the one line per step that replaces the command, unless V=1.
ifeq ($(V),1)
Q   :=
say :=
else
Q   := @
say  = @printf '  %-7s %s\n' '$(1)' '$(2)'
endif

# $(call quote,TEXT): TEXT as one word for the shell.
quote = '$(subst ','\'',$(1))'

# $(call once,VARIABLE,VALUE): the value is found when a recipe first needs it, so that
# `make deps` and `make clean` work on a machine that has none of the tools.
once = $(eval $(1) := $(2))$($(1))

# $(call remember,TEXT): writes TEXT to the target if it differs. What depends on the target is
# rebuilt when the text changes, and only then.
remember = @mkdir -p $(@D); printf '%s\n' $(call quote,$(1)) >$@.new; \
	if cmp -s $@.new $@; then rm -f $@.new; else mv -f $@.new $@; fi

# ---- what it is built from ----

SNAP_SRC  := $(wildcard bpf/snapshot.bpf.c)
BPF_SRC   := $(or $(sort $(filter-out $(SNAP_SRC),$(wildcard bpf/*.bpf.c))),bpf/synfin.bpf.c)
USER_SRC  := $(sort user/main.c $(filter-out user/dist/%,$(wildcard user/*/*.c)))
TEST_SRC  := $(sort $(wildcard tests/unit/test_*.c))
TEST_AID  := $(sort $(filter-out $(TEST_SRC),$(wildcard tests/unit/*.c)))
FUZZ_SRC  := $(sort $(wildcard tests/fuzz/fuzz_*.c))
SFGEN_SRC := $(sort $(wildcard tests/net/*.c))
BENCH_SRC := $(sort $(wildcard tests/bench/*.c))

BPF_OBJ   := $(BPF_SRC:bpf/%.c=$(O)/bpf/%.tmp.o)
SNAP_OBJ  := $(SNAP_SRC:bpf/%.c=$(O)/bpf/%.tmp.o)
SKEL      := $(O)/bpf/synfin.skel.h $(SNAP_SRC:bpf/%.bpf.c=$(O)/bpf/%.skel.h)
USER_OBJ  := $(USER_SRC:%.c=$(O)/obj/%.o)
ASAN_OBJ  := $(patsubst %.c,$(O)/asan/%.o,$(filter-out user/main.c,$(USER_SRC)) $(TEST_AID))
ASAN_MAIN := $(O)/asan/user/main.o
TESTS     := $(TEST_SRC:%.c=$(O)/asan/%)
GOLDEN    := $(O)/asan/tests/golden/generate
FUZZ_OBJ  := $(patsubst %.c,$(O)/fuzz/obj/%.o,$(filter user/base/% user/story/% user/filter/% \
	user/diagnose/% user/view/% user/sink/% user/kernel/plan.c user/cmd/options.c \
	user/cmd/config.c,$(USER_SRC)))
FUZZ      := $(FUZZ_SRC:tests/fuzz/%.c=$(O)/fuzz/%)
FUZZ_ONCE := $(FUZZ_SRC:%.c=$(O)/asan/%)
SFGEN_OBJ := $(SFGEN_SRC:%.c=$(O)/obj/%.o)
BENCH     := $(patsubst %.bpf,%.bpf.o,$(BENCH_SRC:tests/%.c=$(O)/%))

# ---- how ----

WARNINGS := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wformat=2
ERROR    := $(if $(filter 1,$(WERROR)),-Werror)
HARDEN   := -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -fstack-protector-strong -fPIE
# gcc takes what the sanitizers add for a use of uninitialised variables.
SANITIZERS := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer -U_FORTIFY_SOURCE -Wno-maybe-uninitialized
# The same bytes from whatever folder they are built in.
SAME     := -ffile-prefix-map=$(CURDIR)=.

ifdef LIBBPF_DIR
LIBBPF_CFLAGS := -I$(LIBBPF_DIR)/include
LIBBPF_LIBS   := $(firstword $(wildcard $(LIBBPF_DIR)/lib64/libbpf.a $(LIBBPF_DIR)/lib/libbpf.a \
	$(LIBBPF_DIR)/lib/*/libbpf.a)) -lelf -lz
else
LIBBPF_CFLAGS = $(call once,LIBBPF_CFLAGS,$(shell $(PKG_CONFIG) --cflags libbpf))
LIBBPF_LIBS   = $(call once,LIBBPF_LIBS,$(shell $(PKG_CONFIG) --libs libbpf) -lelf -lz)
endif

# What can be left out: yes, no, or auto (if it is there).
WITH_NCURSES ?= auto
HAS_NCURSES = $(call once,HAS_NCURSES,$(if $(filter auto,$(WITH_NCURSES)),\
	$(shell $(PKG_CONFIG) --exists ncursesw && echo yes),$(filter yes,$(WITH_NCURSES))))
WITH_SYSTEMD ?= auto
HAS_SYSTEMD = $(call once,HAS_SYSTEMD,$(if $(filter auto,$(WITH_SYSTEMD)),\
	$(shell $(PKG_CONFIG) --exists libsystemd && echo yes),$(filter yes,$(WITH_SYSTEMD))))
WITH_MICROHTTPD ?= auto
HAS_MICROHTTPD = $(call once,HAS_MICROHTTPD,$(if $(filter auto,$(WITH_MICROHTTPD)),\
	$(shell $(PKG_CONFIG) --exists libmicrohttpd && echo yes),$(filter yes,$(WITH_MICROHTTPD))))
# Only its header: it is loaded when it is used, user/sink/otlp.c.
WITH_CURL ?= auto
HAS_CURL = $(call once,HAS_CURL,$(if $(filter auto,$(WITH_CURL)),\
	$(shell $(PKG_CONFIG) --exists 'libcurl >= 7.66' && echo yes),$(filter yes,$(WITH_CURL))))
MORE_CFLAGS = $(call once,MORE_CFLAGS,$(if $(HAS_NCURSES),-DWITH_NCURSES \
	$(shell $(PKG_CONFIG) --cflags-only-I ncursesw)) $(if $(HAS_MICROHTTPD),-DWITH_MICROHTTPD \
	$(shell $(PKG_CONFIG) --cflags-only-I libmicrohttpd)) $(if $(HAS_CURL),-DWITH_CURL \
	$(shell $(PKG_CONFIG) --cflags-only-I libcurl)))
# libsystemd has no static library: a static program does without, user/sink/journald.c.
STATIC_LIBS = $(call once,STATIC_LIBS,$(if $(HAS_NCURSES),$(shell $(PKG_CONFIG) --libs ncursesw)) \
	-pthread)
# libmicrohttpd's static one does not link in Debian, as GnuTLS's does not: user/sink/prometheus.c.
# Their functions are weak references, for which some linkers keep no library.
KEEP_BEGIN := -Wl,--push-state,--no-as-needed
KEEP_END   := -Wl,--pop-state
MORE_LIBS = $(call once,MORE_LIBS,$(STATIC_LIBS) $(if $(HAS_SYSTEMD),$(KEEP_BEGIN) \
	$(shell $(PKG_CONFIG) --libs libsystemd) $(KEEP_END)) $(if $(HAS_MICROHTTPD),$(KEEP_BEGIN) \
	$(shell $(PKG_CONFIG) --libs libmicrohttpd) $(KEEP_END)))

COMMON   := -std=gnu17 -D_GNU_SOURCE= $(WARNINGS) $(ERROR) $(SAME) -DSF_VERSION='"$(VERSION)"' \
	-I. -Iuser -I$(O)/bpf
USER_CC   = $(CC) $(COMMON) $(HARDEN) $(LIBBPF_CFLAGS) $(MORE_CFLAGS) $(CPPFLAGS) $(CFLAGS)
ASAN_CC   = $(CC) $(COMMON) $(SANITIZERS) $(LIBBPF_CFLAGS) $(MORE_CFLAGS) $(CPPFLAGS)
# Only a clang of LLVM has libFuzzer. FUZZ_CC=none: the harnesses run over their corpus alone.
FUZZ_CC  ?= $(call once,FUZZ_CC,$(shell user/dist/deps.sh fuzzer || echo none))
FUZZ_FLAGS = $(COMMON) -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all \
	-fno-omit-frame-pointer $(LIBBPF_CFLAGS) $(CPPFLAGS)
USER_LD   = $(CC) $(CFLAGS) -pie -Wl,-z,relro,-z,now $(LDFLAGS)
DEPS     := -MMD -MP

# The chosen clang and where the host's headers are, kept in $(O)/clang.
BPF_CLANG = $(call once,BPF_CLANG,$(or $(shell V=$(V) bpf/find-clang.sh $(O)/clang $(CLANG)),\
	$(error no clang for the kernel side: 'make deps' installs one)))
BPFTOOL_FOUND = $(call once,BPFTOOL_FOUND,$(or \
	$(shell BPFTOOL='$(BPFTOOL)' user/dist/deps.sh bpftool),\
	$(error no bpftool: 'make deps' installs it)))
BPF_ARCH ?= $(patsubst aarch64,arm64,$(patsubst x86_64,x86,$(shell uname -m)))
# vmlinux.h is not ours to keep free of warnings. bpf/ hooks take all arguments of what they hook.
BPF_CC    = $(firstword $(BPF_CLANG)) -target bpf -mcpu=v2 -std=gnu17 -g $(BPF_CFLAGS) \
	-D__TARGET_ARCH_$(BPF_ARCH) -Wall -Wextra -Wno-unused-parameter $(ERROR) $(SAME) \
	-I. -isystem vmlinux $(LIBBPF_CFLAGS) $(wordlist 2,99,$(BPF_CLANG))

# libelf.a wants zstd where elfutils was built with it.
ZSTD = $(if $(shell nm $$($(CC) -print-file-name=libelf.a) 2>/dev/null | grep ' U ZSTD_'),-lzstd)

# ---- the program ----

.PHONY: all static sanitized unit sfgen FORCE
all: $(O)/synfin
static: $(O)/synfin-static
sanitized: $(O)/asan/synfin

# Asks for every tool and library once; asks again when another one would be used.
$(O)/preflight: FORCE
	@mkdir -p $(O); [ -w $(O) ] || { \
		echo "synfin: $(O) is $$(stat -c %U $(O))'s and cannot be written: take it with" \
			"'sudo chown -R $$(id -un) $(O)', or build elsewhere with 'make O=FOLDER'" >&2; \
		exit 1; \
	}; \
	now=$$(PATH="$$PATH:/usr/sbin:/sbin"; for tool in $(firstword $(CC)) $(PKG_CONFIG) clang-16 \
		$(CLANG) $(or $(BPFTOOL),bpftool); do command -v $$tool || echo "no $$tool"; done; \
		echo '$(CC) $(LIBBPF_DIR)'); \
	if [ "$$now" != "$$(cat $@ 2>/dev/null)" ]; then \
		rm -f $@; \
		CC='$(CC)' CLANG='$(CLANG)' CLANG_CACHE=$(O)/clang BPFTOOL='$(BPFTOOL)' \
		PKG_CONFIG='$(PKG_CONFIG)' LIBBPF_DIR='$(LIBBPF_DIR)' \
		user/dist/deps.sh missing build && printf '%s\n' "$$now" >$@; \
	fi

$(O)/bpf/flags: FORCE | $(O)/preflight
	$(call remember,$(BPF_CC))

$(O)/bpf/sources: FORCE
	$(call remember,$(BPF_SRC))

$(O)/bpf/%.bpf.tmp.o: bpf/%.bpf.c $(O)/bpf/flags
	$(call say,BPF,$<)
	$(Q)$(BPF_CC) -MD -MP -c $< -o $@

# Linked even when it is only one: that also drops the debug information that BTF replaces.
$(O)/bpf/synfin.bpf.o: $(BPF_OBJ) $(O)/bpf/sources
	$(call say,BPFLD,$@)
	$(Q)$(BPFTOOL_FOUND) gen object $@ $(BPF_OBJ)

$(O)/bpf/snapshot.bpf.o: $(SNAP_OBJ)
	$(call say,BPFLD,$@)
	$(Q)$(BPFTOOL_FOUND) gen object $@ $<

$(SKEL): %.skel.h: %.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL_FOUND) gen skeleton $< name $(*F)_bpf >$@.new && mv -f $@.new $@

$(O)/obj/flags: FORCE | $(O)/preflight
	$(call remember,$(USER_CC))

$(O)/obj/link: FORCE | $(O)/preflight
	$(call remember,$(USER_LD) $(USER_OBJ) $(LIBBPF_LIBS) $(MORE_LIBS) $(LDLIBS))

# Only user/kernel/ may include the skeleton; the rest need not wait for it.
$(filter $(O)/obj/user/kernel/% $(O)/asan/user/kernel/%,$(USER_OBJ) $(ASAN_OBJ)): | $(SKEL)

$(O)/obj/%.o: %.c $(O)/obj/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(USER_CC) $(DEPS) -c $< -o $@

$(O)/synfin: $(USER_OBJ) $(O)/obj/link
	$(call say,LD,$@)
	$(Q)$(USER_LD) $(USER_OBJ) $(LIBBPF_LIBS) $(MORE_LIBS) $(LDLIBS) -o $@

# One file to copy to a host that has neither libbpf nor the right libc. A library that is loaded
# there crashes it: it must not try, user/sink/otlp.c.
$(O)/synfin-static: $(USER_OBJ) $(O)/obj/link
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) -static -Wl,--defsym=dlopen=0,--defsym=dlsym=0 $(LDFLAGS) $(USER_OBJ) $(LIBBPF_LIBS) $(ZSTD) \
		$(STATIC_LIBS) $(LDLIBS) -o $@

# ---- what tests are made of ----

unit: $(TESTS)
sfgen: $(O)/tests/sfgen

$(O)/asan/flags: FORCE | $(O)/preflight
	$(call remember,$(ASAN_CC))

$(O)/asan/sources: FORCE
	$(call remember,$(ASAN_OBJ))

$(O)/asan/%.o: %.c $(O)/asan/flags
	$(call say,CC,$< (sanitized))
	@mkdir -p $(@D)
	$(Q)$(ASAN_CC) $(DEPS) -c $< -o $@

$(O)/asan/libsynfin.a: $(ASAN_OBJ) $(O)/asan/sources
	$(Q)rm -f $@ && $(AR) rcs $@ $(ASAN_OBJ)

$(O)/asan/synfin: $(ASAN_MAIN) $(O)/asan/libsynfin.a
	$(call say,LD,$@)
	$(Q)$(CC) $(SANITIZERS) $(LDFLAGS) $^ $(LIBBPF_LIBS) $(MORE_LIBS) $(LDLIBS) -o $@

$(TESTS) $(GOLDEN): %: %.o $(O)/asan/libsynfin.a
	$(call say,LD,$@)
	$(Q)$(CC) $(SANITIZERS) $(LDFLAGS) $< $(O)/asan/libsynfin.a -lcmocka $(LIBBPF_LIBS) \
		$(MORE_LIBS) $(LDLIBS) -o $@

$(O)/fuzz/flags: FORCE | $(O)/preflight
	$(call remember,$(FUZZ_CC) $(FUZZ_FLAGS))

$(O)/fuzz/obj/%.o: %.c $(O)/fuzz/flags
	$(call say,CC,$< (fuzzed))
	@mkdir -p $(@D)
	$(Q)$(FUZZ_CC) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link $(DEPS) -c $< -o $@

$(FUZZ): $(O)/fuzz/%: $(O)/fuzz/obj/tests/fuzz/%.o $(FUZZ_OBJ)
	$(call say,LD,$@)
	$(Q)$(FUZZ_CC) -g -fsanitize=fuzzer,address,undefined $< $(FUZZ_OBJ) -lz -pthread -o $@

$(FUZZ_ONCE): %: %.o $(O)/asan/tests/fuzz/standalone.o $(O)/asan/libsynfin.a
	$(call say,LD,$@)
	$(Q)$(CC) $(SANITIZERS) $(LDFLAGS) $^ $(LIBBPF_LIBS) $(MORE_LIBS) $(LDLIBS) -o $@

# The harnesses, of the one kind or the other.
.PHONY: fuzzers
fuzzers:
	@$(MAKE) $(if $(filter none,$(FUZZ_CC)),$(FUZZ_ONCE),$(FUZZ)) FUZZ_CC='$(FUZZ_CC)'

$(O)/tests/sources: FORCE
	$(call remember,$(SFGEN_OBJ))

$(O)/tests/sfgen: $(SFGEN_OBJ) $(O)/tests/sources
	$(call say,LD,$@)
	$(Q)$(CC) $(CFLAGS) -static $(LDFLAGS) $(SFGEN_OBJ) -o $@

$(O)/bench/%.bpf.o: tests/bench/%.bpf.c $(O)/bpf/flags
	$(call say,BPF,$<)
	@mkdir -p $(@D)
	$(Q)$(BPF_CC) -MD -MP -c $< -o $@

$(filter-out %.bpf.o,$(BENCH)): $(O)/bench/%: $(O)/obj/tests/bench/%.o $(O)/obj/link
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(USER_LD) $< $(LIBBPF_LIBS) $(LDLIBS) -o $@

.PHONY: bench-parts
bench-parts: $(BENCH)

# The programs for both architectures, held against the running kernel, or against BTF="FILE...".
CHECKED_ARCHES := x86 arm64
CHECKED_BPF := $(foreach a,$(CHECKED_ARCHES),\
	$(patsubst bpf/%.c,$(O)/vmlinux/$(a)/%.o,$(BPF_SRC) $(SNAP_SRC)))

define checked_bpf
$(O)/vmlinux/$(1)/%.o: BPF_ARCH := $(1)
$(O)/vmlinux/$(1)/%.o: bpf/%.c $(O)/bpf/flags
	$$(call say,BPF,$$< for $(1))
	$$(Q)mkdir -p $$(@D)
	$$(Q)$$(BPF_CC) -MD -MP -c $$< -o $$@
endef
$(foreach a,$(CHECKED_ARCHES),$(eval $(call checked_bpf,$(a))))

.PHONY: vmlinux-check
vmlinux-check: export BTF := $(BTF)
vmlinux-check: $(CHECKED_BPF)
	@python3 vmlinux/verify.py $(addprefix --object ,$(CHECKED_BPF)) $$BTF

# ---- what people ask for ----

.PHONY: deps build-deps check-deps bench-deps deb-deps run bench check golden fuzz lint format
.PHONY: install uninstall deb clean help

build-deps: NEEDS := build more
deps check-deps: NEEDS := build more check deb
bench-deps: NEEDS := build more bench
deb-deps: NEEDS := build more deb
deps build-deps check-deps bench-deps deb-deps:
	@CC='$(CC)' CLANG='$(CLANG)' BPFTOOL='$(BPFTOOL)' PKG_CONFIG='$(PKG_CONFIG)' \
		LIBBPF_DIR='$(LIBBPF_DIR)' DRY_RUN='$(DRY_RUN)' \
		QUIET=$(if $(filter deps,$@),0,1) user/dist/deps.sh install $(NEEDS)

# A make of its own after deps: what was installed is looked for afresh.
run:
	@$(MAKE) build-deps
	@$(MAKE) all
	@sudo=; [ "$$(id -u)" = 0 ] || ! command -v sudo >/dev/null || sudo=sudo; \
		exec $$sudo $(O)/synfin $(ARGS)

bench:
	@$(MAKE) bench-deps
	@$(MAKE) -s all $(BENCH)
	@sudo=; [ "$$(id -u)" = 0 ] || ! command -v sudo >/dev/null || sudo=sudo; \
		exec $$sudo tests/bench/bench.py --build $(O) $(ARGS)

check:
	@$(MAKE) check-deps
	@O='$(O)' SANITIZE='$(SANITIZE)' MAKE_COMMAND='$(MAKE_COMMAND)' tests/run.sh $(STAGES)

# When what a recording is made of, or how it is shown, is meant to change.
golden: $(O)/synfin $(GOLDEN)
	@tests/golden/regenerate.sh '$(abspath $(O)/synfin)' '$(abspath $(GOLDEN))'

fuzz:
	@$(MAKE) check-deps
	@$(MAKE) fuzzers
	@O='$(O)' tests/fuzz/run.sh

lint:
	@tests/lint.sh

format:
	@clang-format-14 -i $$(find bpf user tests -name '*.[ch]')

# What is installed, as FROM=TO, TO being below $(DESTDIR); what is not in the tree is left out.
SHARE := $(PREFIX)/share
put = $(foreach file,$(wildcard user/dist/$(1)),$(file)=$(2)/$(or $(3),$(notdir $(file))))
INSTALLED := \
	$(call put,*.8,$(SHARE)/man/man8) \
	$(call put,*.5,$(SHARE)/man/man5) \
	$(call put,schema/*,$(SHARE)/synfin/schema) \
	$(call put,fleet/*,$(SHARE)/synfin/fleet) \
	$(call put,completions/synfin,$(SHARE)/bash-completion/completions) \
	$(call put,synfin.service,$(PREFIX)/lib/systemd/system) \
	$(call put,synfin.sysusers,$(PREFIX)/lib/sysusers.d,synfin.conf) \
	$(foreach file,$(wildcard LICENSE README.md),$(file)=$(SHARE)/doc/synfin/$(file))
# These are their administrator's once they are there.
CONFIGURED := \
	$(call put,synfin.conf,$(SYSCONFDIR)/synfin) \
	$(call put,synfin.logrotate,$(SYSCONFDIR)/logrotate.d,synfin)

# A unit's ExecStart and make's own lists end a path at a blank.
whole_paths = $(foreach name,PREFIX SYSCONFDIR,$(if $(word 2,x$($(name))x),$(error \
	$(name) is '$($(name))': give a path without blanks)))

install: all
	$(whole_paths)
	$(call say,INSTALL,$(DESTDIR)$(PREFIX))
	$(Q)$(INSTALL) -D -m 755 $(O)/synfin '$(DESTDIR)$(PREFIX)/sbin/synfin'
	$(Q)for pair in $(INSTALLED); do \
		$(INSTALL) -D -m 644 "$${pair%%=*}" "$(DESTDIR)$${pair#*=}" || exit 1; \
	done
	$(Q)for pair in $(CONFIGURED); do \
		[ -e "$(DESTDIR)$${pair#*=}" ] || \
			$(INSTALL) -D -m 644 "$${pair%%=*}" "$(DESTDIR)$${pair#*=}" || exit 1; \
	done
	$(Q)unit='$(DESTDIR)$(PREFIX)/lib/systemd/system/synfin.service'; [ ! -e "$$unit" ] || \
		sed -i 's|/usr/sbin/synfin|$(PREFIX)/sbin/synfin|; s|/etc/synfin|$(SYSCONFDIR)/synfin|' \
			"$$unit"

uninstall:
	$(whole_paths)
	$(call say,REMOVE,$(DESTDIR)$(PREFIX))
	$(Q)rm -f '$(DESTDIR)$(PREFIX)/sbin/synfin'
	$(Q)for pair in $(INSTALLED); do rm -f "$(DESTDIR)$${pair#*=}"; done
	$(Q)for pair in $(CONFIGURED); do \
		! cmp -s "$${pair%%=*}" "$(DESTDIR)$${pair#*=}" || rm -f "$(DESTDIR)$${pair#*=}"; \
	done
	$(Q)for dir in '$(SHARE)/synfin/schema' '$(SHARE)/synfin/fleet' '$(SHARE)/synfin' \
		'$(SHARE)/doc/synfin' '$(SYSCONFDIR)/synfin'; do \
		rmdir --ignore-fail-on-non-empty "$(DESTDIR)$$dir" 2>&1 | grep -v 'No such file' || :; \
	done

# The tree as a Debian source package: user/dist/debian becomes its debian/. Its make is one of its
# own, with the flags that Debian wants.
DEB := $(O)/deb/synfin-$(VERSION)
deb:
	@$(MAKE) deb-deps
	$(call say,DEB,$(O)/deb)
	$(Q)rm -rf '$(O)/deb' && mkdir -p '$(DEB)'
	$(Q)cp -r Makefile LICENSE README.md bpf user vmlinux '$(DEB)/'
	$(Q)cp -r user/dist/debian '$(DEB)/debian'
	$(Q)cd '$(DEB)' && env -u MAKEFLAGS -u MFLAGS -u MAKELEVEL -u O -u DESTDIR -u PREFIX \
		CLANG='$(CLANG)' BPFTOOL='$(BPFTOOL)' DEB_BUILD_OPTIONS="parallel=$$(nproc)" \
		dpkg-buildpackage -us -uc -b -d >../log 2>&1 || { cat ../log; exit 1; }
	$(Q)rm -rf '$(DEB)'
	$(Q)ls '$(O)'/deb/synfin_*.deb

clean:
	@[ ! -e '$(O)' ] || [ '$(O)' = .output ] || [ -e '$(O)/preflight' ] || \
		{ echo 'synfin: $(O) was not made by make, it stays' >&2; exit 1; }
	$(call say,CLEAN,$(O))
	$(Q)rm -rf $(call quote,$(O))

define HELP
synfin $(VERSION)

  make              build .output/synfin (no root needed)
  make deps         install what is missing to build and to test (DRY_RUN=1: only say what)
  make run          deps, build, run it as root; ARGS="conns -p 42"
  make check        deps, then all tests; STAGES="lint unit" for some of:
                    lint build unit cli golden fuzz net soak vm; logs in .output/check/;
                    SANITIZE=1: with a program that has ASan and UBSan, all but vm
  make fuzz         libFuzzer on what reads foreign bytes; FUZZ_SECONDS=60
  make golden       make the golden recording and texts anew (tests/golden/); see git diff
  make bench        what tracing costs, beside other tracers, 7 minutes; ARGS="--json FILE"
  make static       .output/synfin-static: one file to copy to another host
  make install      DESTDIR= PREFIX=/usr/local SYSCONFDIR=/etc; make uninstall
  make deb          .output/deb/synfin_$(VERSION)_ARCH.deb
  make vmlinux-check  vmlinux.h, held against the running kernel's types, or BTF="FILE..."
  make lint         the rules of the sources; make format: apply .clang-format
  make clean        remove .output

Parts of the tests: make unit, make sfgen, make sanitized (.output/asan/synfin)

  V=1               show whole commands and which clang was chosen
  WERROR=1          warnings are errors
  CC=gcc            compiler of the user side; CFLAGS="-O2 -g" CPPFLAGS= LDFLAGS= LDLIBS=
  CLANG=            compiler of the kernel side, default: the first that can
  BPFTOOL=          default: the first that works
  BPF_ARCH=x86      or arm64; BPF_CFLAGS=-O2
  WITH_NCURSES=auto yes: top must be in the program, no: it is left out
  WITH_SYSTEMD=auto the same for the journald sink
  WITH_MICROHTTPD=auto  the same for the prometheus sink
  WITH_CURL=auto    the same for the otlp sink
  LIBBPF_DIR=       DIR/include and DIR/lib with another libbpf (1.1 or newer), linked statically
  O=.output         another folder for all that is built
endef
export HELP
help:
	@printf '%s\n' "$$HELP"

FORCE:

-include $(CHECKED_BPF:.o=.d)
-include $(BPF_OBJ:.o=.d) $(SNAP_OBJ:.o=.d) $(USER_OBJ:.o=.d) $(ASAN_OBJ:.o=.d) $(SFGEN_OBJ:.o=.d)
-include $(ASAN_MAIN:.o=.d) $(TESTS:=.d) $(GOLDEN:=.d) $(FUZZ_ONCE:=.d) $(O)/asan/tests/fuzz/standalone.d
-include $(FUZZ_OBJ:.o=.d) $(FUZZ_SRC:%.c=$(O)/fuzz/obj/%.d)
-include $(wildcard $(O)/bench/*.d $(O)/obj/tests/bench/*.d)
