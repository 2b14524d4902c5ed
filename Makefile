# netcc. `make` builds build/netcc, `make check` runs every test, `make demo` shows it at work,
# `make install PREFIX=...` installs it. `make deps` installs what is missing on Debian and Ubuntu.

MAKEFLAGS += --no-builtin-rules

B       ?= build
ifeq ($(origin CC),default)
CC      := gcc
endif
V       ?= @
OPT     ?= -O2 -g
WARN    := -std=c11 -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
           -Wundef -Wvla -Wformat=2 -Werror
DEFS    := -D_GNU_SOURCE
INC     := -Icompiler -Iruntime -I$(B)/gen
PLAIN    = $(OPT) $(WARN) $(DEFS) $(INC) -fPIC -MMD -MP
CFLAGS  += $(PLAIN) $(SAN)
LDLIBS  := -lyaml -ltcc -lz -ljansson -ldl -lm -lpthread

# Fuzzers run no kernels, and clang takes half an hour for natives under sanitizers.
KERNEL_SAN   ?= $(SAN)
KERNEL_FLAGS := -O3 -fno-math-errno -fno-trapping-math -ffp-contract=off
ifeq ($(shell uname -m),x86_64)
ISAS         := sse2 avx2 avx512
else
ISAS         := generic
endif
MARCH_sse2   := -march=x86-64
MARCH_avx2   := -march=x86-64-v3
MARCH_avx512 := -march=x86-64-v4 -mprefer-vector-width=512

FAMILIES  := op layer loss metric optimizer initializer
LISTS     := $(FAMILIES:%=$(B)/gen/%_list.h)
GENERATED := $(LISTS) $(B)/gen/op_enum.h $(B)/gen/primitives.h $(B)/gen/embedded_data.h

COMPILER  := $(filter-out compiler/main.c,$(sort $(wildcard compiler/*.c compiler/*/*.c)))
RUNTIME   := $(filter-out runtime/native.c runtime/peak.c runtime/plugin/%,\
               $(sort $(wildcard runtime/*.c runtime/*/*.c)))
NATIVE    := $(ISAS:%=$(B)/runtime/native_%.o) $(ISAS:%=$(B)/runtime/peak_%.o)
OBJECTS   := $(patsubst %.c,$(B)/%.o,$(COMPILER) $(RUNTIME)) $(NATIVE)
# Plugins, loaded when used: runtime/plugin/NAME.c, what of the runtime it takes along, libraries.
# Those whose library pkg-config does not find are left out; netcc refuses their formats by name.
has          = $(shell pkg-config --exists $(1) 2>/dev/null && echo 1)
BESIDE      := runtime/data/file.c runtime/data/spool.c runtime/data/array.c
PIXELS      := runtime/data/pixels.c runtime/data/array.c
PLUGINS     := npz
SOURCES_npz := runtime/plugin/npz.c runtime/data/npy.c $(BESIDE)
LIBS_npz    := -lzip
ifeq ($(call has,hdf5),1)
PLUGINS     += h5
SOURCES_h5  := runtime/plugin/h5.c runtime/plugin/h5_write.c $(BESIDE)
CFLAGS_h5   := $(shell pkg-config --cflags hdf5)
LIBS_h5     := $(shell pkg-config --libs hdf5)
endif
ifeq ($(call has,libpng),1)
PLUGINS     += png
SOURCES_png := runtime/plugin/png.c $(PIXELS)
LIBS_png    := -lpng
endif
ifeq ($(call has,libjpeg),1)
PLUGINS     += jpeg
SOURCES_jpeg := runtime/plugin/jpeg.c $(PIXELS)
LIBS_jpeg   := -ljpeg
endif
# ONNX: protobuf-c and the onnx.proto of libonnx-dev, from which protoc-c makes the reader
ONNX_PROTO  := $(firstword $(wildcard /usr/include/onnx/onnx.proto /usr/local/include/onnx/onnx.proto))
ifneq ($(and $(ONNX_PROTO),$(filter 1,$(call has,libprotobuf-c)),$(shell command -v protoc-c)),)
PLUGINS     += onnx
SOURCES_onnx := $(addprefix runtime/plugin/,onnx.c onnx_write.c onnx_memory.c) $(B)/gen/onnx.pb-c.c \
                $(BESIDE)
CFLAGS_onnx := $(shell pkg-config --cflags libprotobuf-c)
LIBS_onnx   := $(shell pkg-config --libs libprotobuf-c)
endif
# Those that executables of `netcc build` have inside
LINKED    := $(filter png jpeg,$(PLUGINS))
DEFS      += -DNC_LINKED='"$(LINKED)"'
HELPERS   := $(patsubst %.c,$(B)/%.o,$(addprefix tests/unit/,harness.c built.c loaded.c scratch.c))
UNIT      := $(patsubst tests/unit/%.c,$(B)/unit/%,$(sort $(wildcard tests/unit/test_*.c)))
ifneq ($(words $(filter png jpeg,$(PLUGINS))),2)
UNIT      := $(filter-out %/test_image,$(UNIT))
endif
SOURCES   := $(sort $(wildcard compiler/*.[ch] compiler/*/*.[ch] runtime/*.[ch] runtime/*/*.[ch] \
               tests/*/*.c bench/*.c))

all: $(B)/netcc $(PLUGINS:%=$(B)/%.so) $(B)/libnetcc.a $(B)/netcc.1

# ---- one place of truth: lists made from the records ------------------------------------------

RECORDS := $(wildcard compiler/ops/*.c compiler/layers/*.c compiler/records/*.c)

$(B)/gen/%_list.h: $(RECORDS) | $(B)/gen
	@upper=$$(echo $* | tr a-z A-Z); \
	 sed -nE "s/^$$upper\(([a-z0-9_]+)\) = .*/X(\1)/p" $(RECORDS) > $@

$(B)/gen/op_enum.h: $(B)/gen/op_list.h
	@{ echo 'typedef enum {'; sed -E 's/X\((.*)\)/    OP_\1,/' $<; \
	   echo '    OP_COUNT'; echo '} OpKind;'; } > $@

$(B)/gen/primitives.h: compiler/ops/primitive.c | $(B)/gen
	@{ echo '#define NC_PRIMITIVES(X) \'; \
	   tr '\n' ' ' < $< | grep -oE '[{ ]PRIMITIVE\([a-z0-9]+, [0-9]\)' | \
	   sed -E 's/.*PRIMITIVE\(([a-z0-9]+), ([0-9])\)/    X(\1, \2) \\/'; echo; } > $@

EMBEDDED := $(sort $(wildcard templates/*.c templates/completion/* templates/man/* templates/schema/* templates/new/*/*)) \
            runtime/vocab.h $(sort $(wildcard runtime/vocab/*.h)) runtime/netcc.h runtime/standalone.h

$(B)/gen/embedded_data.h: $(EMBEDDED) Makefile | $(B)/gen
	@for f in $(EMBEDDED); do \
	   echo "{\"$$(dirname $$f)\", \"$$(basename $${f%.[ch]})\", (const char[]){"; \
	   od -An -v -tu1 $$f | sed -E 's/ +([0-9]+)/\1,/g'; echo '0}},'; done > $@

$(B)/gen/onnx.pb-c.c: $(ONNX_PROTO) | $(B)/gen
	@protoc-c --c_out=$(B)/gen -I$(dir $<) $(notdir $<)

$(B)/gen:
	@mkdir -p $@

# ---- objects ------------------------------------------------------------------------------------

$(B)/%.o: %.c | $(GENERATED)
	@mkdir -p $(@D)
	@echo '  CC   $<'
	$(V)$(CC) $(CFLAGS) -c $< -o $@

$(B)/runtime/native_%.o: runtime/native.c | $(GENERATED)
	@mkdir -p $(@D)
	@echo '  CC   $< ($*)'
	$(V)$(CC) $(PLAIN) $(KERNEL_SAN) $(KERNEL_FLAGS) $(MARCH_$*) -DNC_ISA=$* -c $< -o $@

$(B)/runtime/peak_%.o: runtime/peak.c | $(GENERATED)
	@mkdir -p $(@D)
	@echo '  CC   $< ($*)'
	$(V)$(CC) $(PLAIN) $(KERNEL_SAN) $(KERNEL_FLAGS) $(MARCH_$*) -DNC_ISA=$* -c $< -o $@

# What executables of `netcc build` are linked with
$(B)/libnetcc.a: $(patsubst %.c,$(B)/%.o,$(RUNTIME)) $(ISAS:%=$(B)/runtime/peak_%.o) \
                 $(LINKED:%=$(B)/runtime/plugin/%.o)
	@echo '  AR   $@'
	@rm -f $@
	$(V)$(AR) rcs $@ $^

$(B)/netcc: $(B)/compiler/main.o $(OBJECTS)
	@echo '  LINK $@'
	$(V)$(CC) $(SAN) $^ $(LDLIBS) -o $@

# A .d file would speak of the last of a plugin's sources only.
PLUGIN_HEADERS := $(wildcard runtime/*.h runtime/*/*.h)

.SECONDEXPANSION:
$(PLUGINS:%=$(B)/%.so): $(B)/%.so: $$(SOURCES_$$*) $(PLUGIN_HEADERS) | $(GENERATED)
	@echo '  LINK $@'
	$(V)$(CC) $(CFLAGS) $(CFLAGS_$*) -shared -fvisibility=hidden -Wl,-Bsymbolic $(SOURCES_$*) \
	   $(LIBS_$*) -MF /dev/null -o $@

# ---- documentation: all from the records and the option tables ----------------------------------

$(B)/netcc.1: $(B)/netcc
	@$< man > $@.part && mv $@.part $@

$(B)/docs/reference.md: $(B)/netcc
	@mkdir -p $(@D)
	@$< docs > $@.part && mv $@.part $@

$(B)/docs/netcc.schema.json: $(B)/netcc
	@mkdir -p $(@D)
	@$< schema > $@.part && mv $@.part $@

docs: $(B)/netcc.1 $(B)/docs/reference.md $(B)/docs/netcc.schema.json

# ---- installation -------------------------------------------------------------------------------

PREFIX  ?= /usr/local
TO       = $(DESTDIR)$(PREFIX)
VERSION := $(shell sed -n 's/^\#define NETCC_VERSION "\(.*\)"/\1/p' compiler/cli/cli.h)
PC       = prefix=$(PREFIX)|includedir=$${prefix}/include|libdir=$${prefix}/lib/netcc||Name: netcc|$\
           Description: runtime of networks compiled by netcc|Version: $(VERSION)|$\
           Cflags: -I$${includedir}|Libs: -L$${libdir} -lnetcc -ljansson -lz -ldl -lm -lpthread

# All that is installed: mode, file, folder below PREFIX, name there
INSTALLED := 755:$(B)/netcc:bin/netcc \
             $(foreach p,$(PLUGINS),644:$(B)/$(p).so:lib/netcc/$(p).so) \
             644:$(B)/libnetcc.a:lib/netcc/libnetcc.a 644:runtime/netcc.h:include/netcc.h \
             644:$(B)/netcc.pc:lib/pkgconfig/netcc.pc 644:$(B)/netcc.1:share/man/man1/netcc.1 \
             644:templates/completion/netcc.bash:share/bash-completion/completions/netcc \
             644:templates/completion/netcc.zsh:share/zsh/site-functions/_netcc \
             644:templates/completion/netcc.fish:share/fish/vendor_completions.d/netcc.fish \
             644:README.md:share/doc/netcc/README.md 644:LICENSE:share/doc/netcc/LICENSE \
             644:docs/guide.md:share/doc/netcc/guide.md \
             644:$(B)/docs/reference.md:share/doc/netcc/reference.md \
             644:$(B)/docs/netcc.schema.json:share/doc/netcc/netcc.schema.json

install: all docs
	@echo '$(PC)' | tr '|' '\n' > $(B)/netcc.pc
	@IFS=:; for f in $(INSTALLED); do \
	   set -- $$f; install -D -m $$1 $$2 '$(TO)'/$$3 || exit 1; echo "  INST $(TO)/$$3"; done

uninstall:
	@IFS=:; for f in $(INSTALLED); do set -- $$f; rm -f '$(TO)'/$$3; done
	@rmdir '$(TO)'/lib/netcc '$(TO)'/share/doc/netcc 2>/dev/null || true

# ---- tests --------------------------------------------------------------------------------------

$(B)/unit/%: $(B)/tests/unit/%.o $(HELPERS) $(OBJECTS)
	@mkdir -p $(@D)
	@echo '  LINK $@'
	$(V)$(CC) $(SAN) $^ $(LIBS_UNIT) -lcmocka $(LDLIBS) -o $@

$(B)/unit/test_image: LIBS_UNIT := -lpng -ljpeg
$(B)/unit/test_image: $(B)/tests/unit/pictures.o
$(B)/unit/test_window $(B)/unit/test_winograd: $(B)/tests/unit/native_tables.o

$(B)/tests/unit/test_vocab.o: CFLAGS += -ffp-contract=off

# ONNX's own test cases
$(B)/conformance: $(B)/tests/onnx/conformance.o $(OBJECTS)
	@echo '  LINK $@'
	$(V)$(CC) $(SAN) $^ $(LDLIBS) -o $@

unit: $(UNIT) $(B)/conformance

check: test-deps
	@$(MAKE) -s -j2 all unit
	@B=$(B) tests/run.sh

# What takes longer: whole networks of ONNX's test data.
check-slow: deps
	@$(MAKE) -s -j2 all unit
	@B=$(B) tests/onnx/run.sh slow

# What reads the files that users bring, under AddressSanitizer and UndefinedBehaviorSanitizer, in a
# folder of its own. The kernels are without, as gcc takes minutes for them. Left out are suites that
# link libnetcc.a by a plain cc (table, commands, standalone, survive, tools; what transfer and images do
# of that they skip) or limit memory (table, zoo; AddressSanitizer maps terabytes), and those of the code
# that netcc writes, which is compiled without.
ASAN_SUITES := unit errors import onnx pretrained transfer images
asan: test-deps
	@$(MAKE) -s B=build/asan OPT='-O1 -g' \
	   SAN='-fsanitize=address,undefined -fno-sanitize-recover=undefined' KERNEL_SAN= all unit
	@B=build/asan SANITIZED=1 LSAN_OPTIONS=suppressions=$(CURDIR)/tests/leaks.txt \
	   tests/run.sh $(ASAN_SUITES)

FUZZ         := $(patsubst tests/fuzz/fuzz_%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
FUZZ_SECONDS ?= 60

$(B)/fuzz/npz: FUZZ_EXTRA := $(B)/runtime/plugin/npz.o -lzip
$(B)/fuzz/npz: $(B)/runtime/plugin/npz.o
FUZZ_IMAGE := $(B)/runtime/plugin/png.o $(B)/runtime/plugin/jpeg.o
$(B)/fuzz/image: FUZZ_EXTRA := $(FUZZ_IMAGE) -lpng -ljpeg
$(B)/fuzz/image: $(FUZZ_IMAGE)
$(B)/fuzz/onnx: | $(B)/netcc $(filter %/onnx.so,$(PLUGINS:%=$(B)/%.so))
$(B)/fuzz/keras: | $(filter %/h5.so %/npz.so,$(PLUGINS:%=$(B)/%.so))

$(B)/fuzz/%: $(B)/tests/fuzz/fuzz_%.o $(OBJECTS)
	@mkdir -p $(@D)
	@echo '  LINK $@'
	$(V)$(CC) -fsanitize=fuzzer,address,undefined $(filter-out $(FUZZ_EXTRA),$^) $(FUZZ_EXTRA) $(LDLIBS) -o $@

fuzz-targets: $(FUZZ:%=$(B)/fuzz/%)

# Each parser for a minute under libFuzzer (clang, and Debian's libclang-rt-14-dev).
fuzz:
	@$(MAKE) -s B=build/fuzz CC=clang OPT='-O1 -g' \
	   SAN='-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined' \
	   KERNEL_SAN= fuzz-targets
	@B=build/fuzz SECONDS_EACH=$(FUZZ_SECONDS) tests/fuzz/run.sh $(FUZZ)

# Beside PyTorch and ONNX Runtime; bench/README.md tells about ROWS, ROUNDS and SECONDS.
ROUNDS  ?= 12
SECONDS ?= 0.3

bench: all
	@PYTHONDONTWRITEBYTECODE=1 python3 bench/run.py --rows '$(ROWS)' --rounds $(ROUNDS) \
	   --seconds $(SECONDS)

# ---- for people ---------------------------------------------------------------------------------

DEBIAN := gcc g++ clang make pkg-config tcc libtcc-dev libyaml-dev zlib1g-dev libjansson-dev \
          libzip-dev libhdf5-dev libpng-dev libjpeg-dev libprotobuf-c-dev protobuf-c-compiler \
          libonnx-dev libcmocka-dev

# What only tests use: shells that read their completion scripts, other machines to compile for, and
# node with ONNX Runtime, which runs what netcc exports. Tests of what cannot be had are skipped.
TEST_TOOLS = zsh fish man:man-db valgrind node:nodejs npm:npm
ifeq ($(shell uname -m),x86_64)
TEST_TOOLS += gcc-$(shell gcc -dumpversion)-multilib gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user
endif
ONNXRUNTIME := onnxruntime-node@1.30.0
NPM_INSTALL := npm install --ignore-scripts --no-save --no-package-lock --no-audit --no-fund \
               --fetch-retries=1 --fetch-retry-mintimeout=1000 --loglevel=error

# Installs the packages of the list that are missing; does nothing where all are there.
deps:
	@tools/packages.sh $(DEBIAN)

test-deps: deps
	@tools/packages.sh --optional $(TEST_TOOLS)
	@[ -d build/node_modules/onnxruntime-node ] || ! command -v npm >/dev/null || \
	   { echo 'installing: $(ONNXRUNTIME)'; mkdir -p build; \
	     $(NPM_INSTALL) --prefix build $(ONNXRUNTIME) >/dev/null; } || true

demo: deps
	@$(MAKE) -s -j2 all
	$(B)/netcc train examples/digits/digits.yaml --out $(B)/demo --show 6

# MNIST and Fashion-MNIST from their homes, checked, for NETCC_DATA=DIR.
data:
	@[ -n "$(DIR)" ] || { echo 'usage: make data DIR=folder'; exit 2; } >&2
	@tools/fetch-data.sh '$(DIR)'

format:
	@clang-format -i $(SOURCES)

clean:
	rm -rf $(B)

.SECONDARY:
.PHONY: all docs install uninstall data unit check check-slow asan fuzz fuzz-targets bench deps test-deps demo format clean
-include $(shell find $(B) -name '*.d' 2>/dev/null)
