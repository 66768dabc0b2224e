--- The public modules: their files, the names that README gives them, and where else the classes are
--- that belong on their pages.
return {
	{ path = "lua/silly.lua", name = "silly" },
	{ path = "lua/silly/errno.lua", name = "errno" },
	{ path = "lua/silly/logger.lua", name = "logger" },
	{ path = "lua/silly/net/cluster.lua", name = "cluster", classes = "lua/silly/internal/settings.lua" },
	{ path = "lua/silly/net/dns.lua", name = "dns" },
	{ path = "lua/silly/net/registry.lua", name = "registry" },
	{ path = "lua/silly/net/tcp.lua", name = "tcp" },
	{ path = "lua/silly/signal.lua", name = "signal" },
	{ path = "lua/silly/status.lua", name = "status" },
	{ path = "lua/silly/sync/channel.lua", name = "channel" },
	{ path = "lua/silly/sync/mutex.lua", name = "mutex" },
	{ path = "lua/silly/sync/waitgroup.lua", name = "waitgroup" },
	{ path = "lua/silly/task.lua", name = "task" },
	{ path = "lua/silly/testing.lua", name = "testing" },
	{ path = "lua/silly/time.lua", name = "time" },
	{ path = "lua/silly/trace.lua", name = "trace" },
	{ path = "lua/zproto.lua", name = "zproto" },
}
