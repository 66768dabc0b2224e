# What a checkout can do; `make help` lists it. The work of each step is in tools/.

# The interpreter to build for and to test with: a name or a path.
LUA ?= lua5.4
# What cargo is to build in besides: etcd.
FEATURES ?=
# rustup installs cargo here, which is not on the PATH of every shell.
export PATH := $(PATH):$(HOME)/.cargo/bin
# Where there is no Lua 5.5, tools/ensure builds it here.
export PATH := $(PATH):$(CURDIR)/build/lua5.5/bin
# `luarocks make` sets these; by hand they install for LUA's own search paths' usual place.
PREFIX ?= /usr/local
LUA_VERSION = $(shell $(LUA) -e 'io.write((_VERSION:gsub("Lua ", "")))')
INST_LUADIR ?= $(PREFIX)/share/lua/$(LUA_VERSION)
INST_LIBDIR ?= $(PREFIX)/lib/lua/$(LUA_VERSION)
INST_BINDIR ?= $(PREFIX)/bin

.DEFAULT_GOAL := help
.PHONY: help demo build env test test-all check specs specs-etcd docs memcheck soak bench test-rocks install uninstall clean
# The steps share one cargo and two cores: one after the other.
.NOTPARALLEL:

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 12
	@echo
	@echo "LUA=<interpreter> chooses what to build for and to run: now $(LUA)."

demo: ## build, and show a server and a client talking
	@tools/ensure $(LUA) build
	@tools/build $(LUA)
	@examples/demo $(LUA)

build: ## build the native library into build/; FEATURES=etcd for silly.net.registry
	@tools/ensure $(LUA) build "$(FEATURES)"
	@tools/build $(LUA) "$(FEATURES)"

env: ## print what makes `require "silly"` work from here: eval "$(make -s env)"
	@echo 'export LUA_PATH="$(CURDIR)/lua/?.lua;;"'
	@echo 'export LUA_CPATH="$(CURDIR)/build/?.so;;"'

test: ## everything that can fail: check, the tests of Rust and Lua, the examples; ETCD=no without etcd
	@tools/ensure $(LUA) test
	@ETCD="$(ETCD)" tools/test $(LUA)

test-all: ## the same for every interpreter, some six minutes each
	@tools/test-all

check: ## formatting, lints, annotations, versions, the reference, and that no floor imports one above it
	@tools/ensure $(LUA) test
	@tools/check $(LUA)

specs: ## the tests of Lua alone; SPECS= goes to busted: files to run in place of all, or options
	@tools/ensure $(LUA) specs
	@tools/build $(LUA)
	@tools/specs "$(LUA)" $(SPECS)

specs-etcd: ## those of them that need etcd, with a library that has it; SPECS= as for specs
	@tools/ensure $(LUA) specs etcd
	@tools/specs-etcd "$(LUA)" $(SPECS)

docs: ## write docs/reference/ from the annotations in lua/
	@"$(LUA)" tools/make-reference

memcheck: ## the specs under valgrind, the tests of Rust under AddressSanitizer
	@tools/ensure $(LUA) test
	@tools/build $(LUA)
	@tools/memcheck $(LUA)

soak: ## ten minutes of faults under load; SECONDS=, SEED= repeats one, ONLY=mix leaves out the specs, WIRE=2, TLS=1
	@tools/ensure $(LUA) test
	@tools/build $(LUA)
	@SOAK_WIRE="$(or $(WIRE),1)" SOAK_TLS="$(TLS)" tools/soak "$(LUA)" "$(SECONDS)" "$(SEED)" "$(ONLY)"

bench: ## speed beside a floor without Lua, memory, growth, zproto; QUICK=1 takes under a minute
	@tools/ensure $(LUA) bench
	@tools/build $(LUA)
	@tools/bench "$(LUA)" "$(QUICK)"

test-rocks: ## what luarocks makes of it, in trees of its own; VERSIONS="5.1 5.4" of Lua in place of one
	@tools/test-rocks $(or $(VERSIONS),$(LUA_VERSION))

install: ## copy what `make build` made to INST_LUADIR, INST_LIBDIR and INST_BINDIR, all below PREFIX
	@tools/install "$(LUA)" "$(INST_LUADIR)" "$(INST_LIBDIR)" "$(INST_BINDIR)"

uninstall: ## remove what `make install` has copied there
	@tools/install --remove "$(INST_LUADIR)" "$(INST_LIBDIR)" "$(INST_BINDIR)"

clean: ## remove what was built
	rm -rf build
	cargo clean --quiet
