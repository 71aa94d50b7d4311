# postseal: one Makefile, no recursion, no generator.
#
#   make            programs into build/
#   make check      the fast tests (./run check installs what they need first)
#   make check-full the fast tests, sanitizers, interop, Debian 12 and 13
#   make asan tsan  units and most end-to-end tests under sanitizers
#   make soak       500 kills, thousands of faults: hours
#   make interop    other S/MIME programs read what we write, and we theirs
#   make lint bench requirements demo install clean
#
# DESTDIR, PREFIX, CC, CFLAGS, BUILD are respected.

CC       = cc
PREFIX   = /usr/local
BUILD    = build
OPT      = -O2 -g
WARN     = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
           -Wpointer-arith -Wcast-qual -Wformat=2 -Wconversion -Wvla
HARDEN   = -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
CFLAGS   = $(OPT) $(HARDEN)
CPPFLAGS = -I. -D_GNU_SOURCE -DOPENSSL_NO_DEPRECATED \
           -DOPENSSL_API_COMPAT=30000
LDFLAGS  = -pie -Wl,-z,relro,-z,now
STD      = -std=c11
WERROR   =
SAN      =
COMPILE  = $(CC) $(STD) $(CPPFLAGS) $(WARN) $(WERROR) $(CFLAGS) $(SAN)

UTIL_SRC     = $(sort $(wildcard util/*.c))
SMIME_SRC    = $(sort $(wildcard smime/*.c))
KEYSTORE_SRC = $(sort $(wildcard keystore/*.c))
FETCH_SRC    = $(sort $(wildcard fetch/*.c))
SMTP_SRC     = $(sort $(wildcard smtp/*.c))
GATEWAY_SRC  = $(sort $(wildcard gateway/*.c))
MILTER_SRC   = $(filter-out milter/main.c,$(sort $(wildcard milter/*.c)))
CLI_SRC      = $(filter-out cli/main.c,$(sort $(wildcard cli/*.c)))
RELAY_SRC    = $(filter-out relay/main.c,$(sort $(wildcard relay/*.c)))

obj = $(patsubst %.c,$(BUILD)/%.o,$(1))

LIBS = $(BUILD)/libutil.a
UTIL_LIBS     = -lcrypto -lidn2 -lseccomp
SMIME_LIBS    = -lz
KEYSTORE_LIBS = -lsqlite3 -lmagic
SMTP_LIBS     = -lssl
FETCH_LIBS    = -lcurl -lldap -llber -lunbound
MILTER_LIBS   = -lmilter -lpthread
RELAY_LIBS    = -levent -lcrypt -lpthread

# Libraries in link order, highest first: an archive may use only those
# behind it (DESIGN: arrows go down only).
A_GATEWAY  = $(BUILD)/libgateway.a
A_KEYSTORE = $(BUILD)/libkeystore.a
A_FETCH    = $(BUILD)/libfetch.a
A_SMIME    = $(BUILD)/libsmime.a
A_SMTP     = $(BUILD)/libsmtp.a
A_UTIL     = $(BUILD)/libutil.a
A_MILTER   = $(BUILD)/libmilter-side.a
A_CLI      = $(BUILD)/libcli.a
A_RELAY    = $(BUILD)/librelay.a

CORE_A    = $(A_GATEWAY) $(A_FETCH) $(A_KEYSTORE) $(A_SMIME) $(A_SMTP) \
            $(A_UTIL)
CORE_LIBS = $(FETCH_LIBS) $(KEYSTORE_LIBS) $(SMIME_LIBS) $(SMTP_LIBS) \
            $(UTIL_LIBS)

PROGRAMS = $(BUILD)/postseal $(BUILD)/postseal-milter $(BUILD)/postseal-relay

all: $(PROGRAMS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(COMPILE) -MMD -MP -c -o $@ $<

# Where texts in other languages are read from.
TEXTSDIR = $(PREFIX)/share/postseal/texts
$(BUILD)/gateway/texts.o: CPPFLAGS += -DTEXTS_DIR='"$(TEXTSDIR)"'

$(A_UTIL): $(call obj,$(UTIL_SRC))
	rm -f $@ && $(AR) rcs $@ $^
$(A_SMIME): $(call obj,$(SMIME_SRC))
	rm -f $@ && $(AR) rcs $@ $^
$(A_SMTP): $(call obj,$(SMTP_SRC))
	rm -f $@ && $(AR) rcs $@ $^
$(A_KEYSTORE): $(call obj,$(KEYSTORE_SRC))
	rm -f $@ && $(AR) rcs $@ $^
$(A_FETCH): $(call obj,$(FETCH_SRC))
	rm -f $@ && $(AR) rcs $@ $^
$(A_GATEWAY): $(call obj,$(GATEWAY_SRC))
	rm -f $@ && $(AR) rcs $@ $^
$(A_MILTER): $(call obj,$(MILTER_SRC))
	rm -f $@ && $(AR) rcs $@ $^
$(A_CLI): $(call obj,$(CLI_SRC))
	rm -f $@ && $(AR) rcs $@ $^
$(A_RELAY): $(call obj,$(RELAY_SRC))
	rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/postseal: $(BUILD)/cli/main.o $(A_CLI) $(A_RELAY) $(CORE_A)
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(RELAY_LIBS) $(CORE_LIBS)
$(BUILD)/postseal-relay: $(BUILD)/relay/main.o $(A_RELAY) $(CORE_A)
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(RELAY_LIBS) $(CORE_LIBS)
$(BUILD)/postseal-milter: $(BUILD)/milter/main.o $(A_MILTER) $(CORE_A)
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(MILTER_LIBS) $(CORE_LIBS)

# Unit tests: tests/unit/ROOM_NAME_test.c, linked with the room's library
# and those below it.
T_ALL = $(sort $(wildcard tests/unit/*_test.c))
T_BIN = $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(T_ALL))
unit: $(T_BIN)
# Certificates, keys and key_ops made by the tests themselves.
TESTCA = $(BUILD)/tests/unit/testca.o

$(BUILD)/tests/unit/util_%: $(BUILD)/tests/unit/util_%.o $(A_UTIL)
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ -lcmocka $(UTIL_LIBS)
$(BUILD)/tests/unit/smime_%: $(BUILD)/tests/unit/smime_%.o $(TESTCA) \
    $(A_SMIME) $(A_UTIL)
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ -lcmocka $(SMIME_LIBS) $(UTIL_LIBS)
$(BUILD)/tests/unit/keystore_%: $(BUILD)/tests/unit/keystore_%.o $(TESTCA) \
    $(A_KEYSTORE) $(A_UTIL)
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ -lcmocka $(KEYSTORE_LIBS) $(UTIL_LIBS)
$(BUILD)/tests/unit/smtp_%: $(BUILD)/tests/unit/smtp_%.o $(TESTCA) \
    $(A_SMTP) $(A_UTIL)
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ -lcmocka $(SMTP_LIBS) $(UTIL_LIBS)
$(BUILD)/tests/unit/relay_%: $(BUILD)/tests/unit/relay_%.o $(TESTCA) \
    $(A_RELAY) $(CORE_A)
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ -lcmocka $(RELAY_LIBS) $(CORE_LIBS)
# Owners of connections and their peers; keys without their process: theirs is
# the first definition of tls_keys_use(), and it counts.
PEER_T = conn conn_io tls_server tls_tickets tls_client tls_flood session \
         session_auth tunnel tunnel_octets tunnel_watch tls_files
$(PEER_T:%=$(BUILD)/tests/unit/relay_%_test): %: %.o $(TESTCA) \
    $(BUILD)/tests/unit/relay_peer.o $(A_RELAY) $(CORE_A)
	$(CC) $(SAN) $(LDFLAGS) -Wl,--allow-multiple-definition -o $@ $^ -lcmocka $(RELAY_LIBS) $(CORE_LIBS)
$(BUILD)/tests/unit/fetch_%: $(BUILD)/tests/unit/fetch_%.o $(TESTCA) \
    $(A_FETCH) $(A_UTIL)
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ -lcmocka $(FETCH_LIBS) $(UTIL_LIBS)
$(BUILD)/tests/unit/gateway_%: $(BUILD)/tests/unit/gateway_%.o $(TESTCA) \
    $(CORE_A)
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ -lcmocka $(CORE_LIBS)
$(BUILD)/tests/unit/cli_%: $(BUILD)/tests/unit/cli_%.o $(A_CLI) $(A_RELAY) \
    $(CORE_A)
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ -lcmocka $(RELAY_LIBS) $(CORE_LIBS)
$(BUILD)/tests/unit/milter_%: $(BUILD)/tests/unit/milter_%.o $(TESTCA) \
    $(A_MILTER) $(CORE_A)
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ -lcmocka $(MILTER_LIBS) $(CORE_LIBS)

# ---- tests ----
#
# E2E_T: end-to-end tests on a real Postfix; they skip, saying why, what the
# machine cannot do. POSTSEAL_BUILD tells them which programs to use.

E2E_T   = $(sort $(wildcard tests/e2e/*_test.py tests/bench/*_test.py))
LINT_T  = tests/lint/lint_test.py
RUNNER  = tests/runner.py
JOBS    = 2
RESULTS = build/results.tsv

check: all unit fuzz-build bench-tools
	@POSTSEAL_BUILD=$(BUILD) $(RUNNER) -j $(JOBS) -o $(RESULTS) \
	    $(T_BIN) $(FUZZ_RUNS) $(LINT_T) $(E2E_T)

# Sanitizers build in folders of their own and run the units and those
# end-to-end tests that are not about sizes or rates.
SAN_E2E = tests/e2e/material_test.py tests/e2e/mime_trees_test.py \
          tests/e2e/command_test.py tests/e2e/mail_test.py \
          tests/e2e/hostile_test.py tests/e2e/relay_test.py \
          tests/e2e/relay_session_test.py tests/e2e/tunnel_test.py \
          tests/e2e/relay_storm_test.py
ASAN    = -fsanitize=address,undefined -fno-sanitize-recover=undefined \
          -fno-omit-frame-pointer
ASAN_ENV = ASAN_OPTIONS=detect_leaks=1:abort_on_error=0 \
           UBSAN_OPTIONS=print_stacktrace=1 POSTSEAL_SANITIZER=1

asan:
	@$(MAKE) -s BUILD=build-asan SAN="$(ASAN)" HARDEN=-fPIE \
	    OPT="-O1 -g" all unit fuzz-build bench-tools
	@$(ASAN_ENV) POSTSEAL_BUILD=build-asan $(RUNNER) -j $(JOBS) -t 900 \
	    -o build/results-asan.tsv $(T_BIN:$(BUILD)/%=build-asan/%) \
	    $(FUZZ_RUNS:$(BUILD)/%=build-asan/%) $(wildcard $(SAN_E2E))

# Threads: the front of the milter, policy and auth of the relay.
TSAN_T = $(filter $(BUILD)/tests/unit/milter_% \
         $(BUILD)/tests/unit/relay_%,$(T_BIN))
TSAN_SUPP = suppressions=$(CURDIR)/tests/tsan.supp
TSAN_E2E = tests/e2e/mail_test.py tests/e2e/relay_test.py \
           tests/e2e/relay_session_test.py tests/e2e/relay_auth_test.py
# Processes end by _exit, and wait for no thread that may hang in the DNS.
tsan:
	@$(MAKE) -s BUILD=build-tsan SAN=-fsanitize=thread HARDEN=-fPIE \
	    OPT="-O1 -g" all unit bench-tools
	@TSAN_OPTIONS=exitcode=66:report_thread_leaks=0:$(TSAN_SUPP) \
	    POSTSEAL_SANITIZER=1 POSTSEAL_BUILD=build-tsan \
	    $(RUNNER) -j $(JOBS) -t 900 \
	    -o build/results-tsan.tsv $(TSAN_T:$(BUILD)/%=build-tsan/%) \
	    $(wildcard $(TSAN_E2E))

check-full:
	@tests/phases.sh check asan fuzz tsan interop bookworm trixie

# The other programs, in Debian folders: tests/interop/README.md.
# INTEROP has options, as "--suites host --peers openssl"; interop-doc writes
# doc/INTEROP.md, too.
INTEROP =
interop: all
	@tests/interop/interop.py $(INTEROP)
interop-doc: all
	@tests/interop/interop.py --write $(INTEROP)

# The long forms of tests that make check runs shortly: hours.
FAULT_STEPS = 3000
soak: all bench-tools
	@KILL_RUNS=500 SLOW_CLIENTS=2000 FAULT_STEPS=$(FAULT_STEPS) \
	    POSTSEAL_BUILD=$(BUILD) \
	    $(RUNNER) -j 1 -t 14400 -o build/results-soak.tsv \
	    tests/e2e/kill_test.py tests/e2e/relay_storm_test.py \
	    tests/e2e/fault_test.py

lint:
	@tests/attacks.py --check
	@tests/lint/lint.py && echo "lint: nothing found"

# doc/ATTACKS.md, of the comments above the tests
attacks:
	@tests/attacks.py

requirements:
	@test -f $(RESULTS) || $(MAKE) check >&2 || :
	@tests/requirements.py $(RESULTS)

demo: all
	@tests/demo.py
demo-relay: all
	@tests/demo_relay.py

# Fuzz targets: tests/fuzz/fuzz_NAME.c with LLVMFuzzerTestOneInput, tokens in
# fuzz_NAME.dict, inputs in the folder fuzz_NAME (some targets make theirs).
#
#   make fuzz-build  programs with tests/fuzz/driver.c, which runs the inputs
#                    and FUZZ_MUTANTS mutants of them; make check runs these
#   make fuzz-smoke  more of them, under sanitizers: less than a minute
#   make fuzz        each target of FUZZ_TARGETS for FUZZ_SECONDS, with
#                    libFuzzer if clang has it, else with the driver
#
# An input that ends a program stays as tests/fuzz/fuzz_NAME/regression-*:
# commit it with what repairs it, and all of the above run it from then on.
# fuzz_cmsdiff compares with libcrypto and prints counts; a million mutants:
# FUZZ_MUTANTS=1000000 build/tests/fuzz/fuzz_cmsdiff.
FUZZ_SRC     = $(sort $(wildcard tests/fuzz/fuzz_*.c))
FUZZ_RUNS    = $(patsubst tests/fuzz/%.c,$(BUILD)/tests/fuzz/%,$(FUZZ_SRC))
FUZZ_TARGETS = $(patsubst tests/fuzz/%.c,%,$(FUZZ_SRC))
FUZZ_SECONDS = 1800
FUZZ_AID     = $(call obj,$(filter-out $(FUZZ_SRC) tests/fuzz/driver.c,\
               $(wildcard tests/fuzz/*.c))) $(TESTCA)

fuzz-build: $(FUZZ_RUNS)
$(BUILD)/tests/fuzz/fuzz_%: $(BUILD)/tests/fuzz/fuzz_%.o \
    $(BUILD)/tests/fuzz/driver.o $(FUZZ_AID) $(A_RELAY) $(CORE_A)
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(RELAY_LIBS) $(CORE_LIBS)

fuzz-smoke:
	@$(MAKE) -s BUILD=build-asan SAN="$(ASAN)" HARDEN=-fPIE \
	    OPT="-O1 -g" fuzz-build
	@FUZZ_SEED=1 FUZZ_MUTANTS=10000 $(ASAN_ENV) $(RUNNER) -j $(JOBS) \
	    -o build/results-fuzz.tsv $(FUZZ_RUNS:$(BUILD)/%=build-asan/%)

# The linker's part of libFuzzer is the main program.
FUZZ_SAN = -fsanitize=address,undefined -fno-sanitize-recover=undefined \
           -fno-omit-frame-pointer
fuzz-clang: $(patsubst %,$(BUILD)/fuzz/%,$(FUZZ_TARGETS))
$(BUILD)/fuzz/fuzz_%: $(BUILD)/tests/fuzz/fuzz_%.o $(FUZZ_AID) $(A_RELAY) \
    $(CORE_A)
	@mkdir -p $(@D)
	$(CC) $(FUZZ_SAN) -fsanitize=fuzzer -o $@ $^ $(RELAY_LIBS) \
	    $(CORE_LIBS)
fuzz:
	@MAKE="$(MAKE)" FUZZ_SECONDS=$(FUZZ_SECONDS) FUZZ_SAN="$(FUZZ_SAN)" \
	    tests/fuzz/long.sh $(FUZZ_TARGETS)

# ---- install ----

BINDIR  = $(PREFIX)/bin
SBINDIR = $(PREFIX)/sbin
MANDIR  = $(PREFIX)/share/man
DOCDIR  = $(PREFIX)/share/doc/postseal
UNITDIR = $(PREFIX)/lib/systemd/system
INSTALL = install

install: all
	$(INSTALL) -d $(DESTDIR)$(BINDIR) $(DESTDIR)$(SBINDIR) \
	    $(DESTDIR)$(UNITDIR) $(DESTDIR)$(DOCDIR)/samples/messages
	$(INSTALL) -m 755 $(BUILD)/postseal $(DESTDIR)$(BINDIR)
	$(INSTALL) -m 755 $(BUILD)/postseal-milter $(BUILD)/postseal-relay \
	    $(DESTDIR)$(SBINDIR)
	for f in doc/*.[1-8]; do s=$${f##*.}; \
	    $(INSTALL) -d $(DESTDIR)$(MANDIR)/man$$s && \
	    $(INSTALL) -m 644 $$f $(DESTDIR)$(MANDIR)/man$$s || exit 1; done
	for u in milter relay; do \
	    sed 's|/usr/sbin/postseal|$(SBINDIR)/postseal|' \
	    contrib/postseal-$$u.service \
	    >$(DESTDIR)$(UNITDIR)/postseal-$$u.service || exit 1; done
	$(INSTALL) -m 644 README.md SECURITY.md CHANGES.md LICENSE \
	    $(DESTDIR)$(DOCDIR)
	$(INSTALL) -d $(DESTDIR)$(TEXTSDIR)
	$(INSTALL) -m 644 share/texts/* $(DESTDIR)$(TEXTSDIR)
	find samples -maxdepth 1 -type f -exec $(INSTALL) -m 644 -t \
	    $(DESTDIR)$(DOCDIR)/samples {} +
	find samples/messages -type f -exec $(INSTALL) -m 644 -t \
	    $(DESTDIR)$(DOCDIR)/samples/messages {} +
	for d in postfix sendmail fail2ban prometheus; do \
	    $(INSTALL) -d $(DESTDIR)$(DOCDIR)/contrib/$$d && \
	    $(INSTALL) -m 644 contrib/$$d/* $(DESTDIR)$(DOCDIR)/contrib/$$d || \
	    exit 1; done

# Debian test folders have /proc mounted while they run.
clean:
	rm -rf --one-file-system build-asan build-fuzz build-tsan $(BUILD)

-include $(shell find $(BUILD) \( -name 'debian-*' -o -name 'root-*' \
    -o -name 'interop-*' \) -prune -o -name '*.d' -type f -print 2>/dev/null)

.PHONY: all unit check asan tsan check-full soak interop interop-doc lint \
    attacks requirements demo demo-relay bench-relay fuzz \
    fuzz-build fuzz-clang fuzz-smoke install clean
.SECONDARY:

# bench
#
# Not part of check: `make bench` takes about a quarter of an hour and prints
# the tables of doc/BENCHMARKS.md; PARTS="rates growth" chooses some of rates
# growth memory postfix peers. mfload also serves the end-to-end tests.

B_TOOLS = $(addprefix $(BUILD)/tests/bench/,mfload nullmilter cryptobase \
    growbase manycerts relayload)
B_MFLOAD = $(addprefix $(BUILD)/tests/bench/,mfload.o mfrun.o mfclient.o \
    mfanswer.o mfmessage.o)

bench-tools: $(B_TOOLS)
bench: all bench-tools
	@POSTSEAL_BUILD=$(BUILD) tests/bench/bench.py $(PARTS)

# The relay beside stunnel, haproxy, nginx and Postfix: minutes.
bench-relay: all bench-tools
	@POSTSEAL_BUILD=$(BUILD) tests/bench/relay.py $(PARTS)

check: bench-tools
E2E_T += tests/bench/mfload_test.py

# Preloaded by the end-to-end tests that kill a program at its n-th step;
# what sanitizers and hardening put into programs does not fit in there.
bench-tools: $(BUILD)/tests/killing.so
$(BUILD)/tests/killing.so: tests/e2e/killing.c
	@mkdir -p $(@D)
	$(CC) -std=c11 -D_GNU_SOURCE $(WARN) $(WERROR) -O1 -fPIC -shared \
	    -o $@ $<
# The same for those that make a call fail; its frames are in assembler.
bench-tools: $(BUILD)/tests/failing.so
$(BUILD)/tests/failing.so: tests/e2e/failing.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 $(WARN) $(WERROR) -O1 -fno-toplevel-reorder -fPIC \
	    -shared -o $@ $<

$(BUILD)/tests/bench/mfload: $(B_MFLOAD) $(A_UTIL)
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(UTIL_LIBS) -lpthread
$(BUILD)/tests/bench/relayload: $(BUILD)/tests/bench/relayload.o
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ -lssl -lcrypto -lpthread
$(BUILD)/tests/bench/nullmilter: $(BUILD)/tests/bench/nullmilter.o
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ -lmilter -lpthread
$(BUILD)/tests/bench/cryptobase: $(BUILD)/tests/bench/cryptobase.o
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ -lcrypto
$(BUILD)/tests/bench/manycerts: $(BUILD)/tests/bench/manycerts.o
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ -lcrypto
$(BUILD)/tests/bench/growbase: $(BUILD)/tests/bench/growbase.o $(CORE_A)
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(CORE_LIBS)

.PHONY: bench bench-tools
