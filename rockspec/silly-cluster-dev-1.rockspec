rockspec_format = "3.0"
package = "silly-cluster"
version = "dev-1"
source = {
	url = "git+https://github.com/silly-cluster/silly-cluster.git",
}
description = {
	summary = "The cluster RPC of the silly framework for plain Lua interpreters",
	detailed = [[
		Calls between nodes over TCP with the API and the wire format of silly.net.cluster, for
		any Lua program: deadlines, reconnection, back pressure, trace ids, zproto messages. One
		native library, built with cargo.

		This rock owns the module "silly", everything below "silly.", the module "zproto" and the
		command "silly": it is not for a tree that holds the original framework.
	]],
	homepage = "https://github.com/silly-cluster/silly-cluster",
	license = "MIT",
	labels = { "rpc", "network", "async" },
}
supported_platforms = { "linux", "macosx" }
dependencies = {
	"lua >= 5.1, < 5.6",
}
build = {
	type = "make",
	build_target = "build",
	build_variables = {
		LUA = "$(LUA)",
		-- Nothing here is compiled from C, but luarocks warns where this is not passed on.
		CFLAGS = "$(CFLAGS)",
	},
	install_variables = {
		LUA = "$(LUA)",
		INST_LUADIR = "$(LUADIR)",
		INST_LIBDIR = "$(LIBDIR)",
		INST_BINDIR = "$(BINDIR)",
	},
}
test = {
	type = "command",
	-- A script, since luarocks tells a command nothing about its interpreter.
	script = "tools/luarocks-test.lua",
}
