# postseal: one Makefile, no recursion, no generator.
#
#   make            programs into build/
#   make check      the fast tests (./run check installs what they need first)
#   make check-full the fast tests, sanitizers, Debian 12 and 13 folders
#   make asan tsan  the tests of make check under sanitizers
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
GATEWAY_SRC  = $(sort $(wildcard gateway/*.c))
MILTER_SRC   = $(filter-out milter/main.c,$(sort $(wildcard milter/*.c)))
CLI_SRC      = $(filter-out cli/main.c,$(sort $(wildcard cli/*.c)))

obj = $(patsubst %.c,$(BUILD)/%.o,$(1))

LIBS = $(BUILD)/libutil.a
UTIL_LIBS     = -lcrypto -lidn2 -lseccomp
SMIME_LIBS    = -lz
KEYSTORE_LIBS = -lsqlite3 -lmagic
MILTER_LIBS   = -lmilter -levent -lpthread

# Libraries in link order, highest first: an archive may use only those
# behind it (DESIGN: arrows go down only).
A_GATEWAY  = $(BUILD)/libgateway.a
A_KEYSTORE = $(BUILD)/libkeystore.a
A_SMIME    = $(BUILD)/libsmime.a
A_UTIL     = $(BUILD)/libutil.a
A_MILTER   = $(BUILD)/libmilter-side.a
A_CLI      = $(BUILD)/libcli.a

CORE_A    = $(A_GATEWAY) $(A_KEYSTORE) $(A_SMIME) $(A_UTIL)
CORE_LIBS = $(KEYSTORE_LIBS) $(SMIME_LIBS) $(UTIL_LIBS)

PROGRAMS = $(BUILD)/postseal $(BUILD)/postseal-milter

all: $(PROGRAMS)

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(COMPILE) -MMD -MP -c -o $@ $<

$(A_UTIL): $(call obj,$(UTIL_SRC))
	rm -f $@ && $(AR) rcs $@ $^
$(A_SMIME): $(call obj,$(SMIME_SRC))
	rm -f $@ && $(AR) rcs $@ $^
$(A_KEYSTORE): $(call obj,$(KEYSTORE_SRC))
	rm -f $@ && $(AR) rcs $@ $^
$(A_GATEWAY): $(call obj,$(GATEWAY_SRC))
	rm -f $@ && $(AR) rcs $@ $^
$(A_MILTER): $(call obj,$(MILTER_SRC))
	rm -f $@ && $(AR) rcs $@ $^
$(A_CLI): $(call obj,$(CLI_SRC))
	rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/postseal: $(BUILD)/cli/main.o $(A_CLI) $(CORE_A)
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(CORE_LIBS)
$(BUILD)/postseal-milter: $(BUILD)/milter/main.o $(A_MILTER) $(CORE_A)
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ $(MILTER_LIBS) $(CORE_LIBS)

# Unit tests: tests/unit/ROOM_NAME_test.c, linked with the room's library
# and those below it.
T_ALL = $(sort $(wildcard tests/unit/*_test.c))
T_BIN = $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(T_ALL))
unit: $(T_BIN)

$(BUILD)/tests/unit/util_%: $(BUILD)/tests/unit/util_%.o $(A_UTIL)
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ -lcmocka $(UTIL_LIBS)
$(BUILD)/tests/unit/smime_%: $(BUILD)/tests/unit/smime_%.o $(A_SMIME) $(A_UTIL)
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ -lcmocka $(SMIME_LIBS) $(UTIL_LIBS)
$(BUILD)/tests/unit/keystore_%: $(BUILD)/tests/unit/keystore_%.o \
    $(A_KEYSTORE) $(A_UTIL)
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ -lcmocka $(KEYSTORE_LIBS) $(UTIL_LIBS)
$(BUILD)/tests/unit/gateway_%: $(BUILD)/tests/unit/gateway_%.o $(CORE_A)
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ -lcmocka $(CORE_LIBS)
$(BUILD)/tests/unit/cli_%: $(BUILD)/tests/unit/cli_%.o $(A_CLI) $(CORE_A)
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ -lcmocka $(CORE_LIBS)
$(BUILD)/tests/unit/milter_%: $(BUILD)/tests/unit/milter_%.o $(A_MILTER) \
    $(CORE_A)
	$(CC) $(SAN) $(LDFLAGS) -o $@ $^ -lcmocka $(MILTER_LIBS) $(CORE_LIBS)

clean:
	rm -rf $(BUILD) build-asan build-tsan

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)

.PHONY: all unit clean
.SECONDARY:
