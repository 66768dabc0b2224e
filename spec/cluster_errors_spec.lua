--- Mistakes in the use of a function: each raises where it was made, and says what was wanted.

local cluster = require "silly.net.cluster"
local task = require "silly.task"
local node = require "spec.support.node"
local process = require "spec.support.process"
local scheduler = require "silly.internal.scheduler"
local helper = require "spec.helper"

--- What a function raises, without the position, which must be this file's.
local function raised(fn, ...)
	local arguments, count = { ... }, select("#", ...)
	local unpack = table.unpack or unpack
	local protect = scheduler.current() and helper.protect or pcall
	local ok, why = protect(function()
		fn(unpack(arguments, 1, count))
		return "nothing"
	end)
	assert.is_false(ok)
	local text = why:match("^spec/cluster_errors_spec.lua:%d+: (.*)$")
	assert.is_string(text, "points elsewhere: " .. why)
	return text
end

local function nothing() end

describe("misuse of the cluster", function()
	before_each(node.before)
	after_each(node.after)

	local function conf(changes)
		local full = { marshal = nothing, unmarshal = nothing, call = nothing }
		for option, value in pairs(changes) do
			full[option] = value
		end
		return full
	end

	it("serve names the option and what it must be", function()
		assert.equal("cluster.serve: the argument must be a table, got nil", raised(cluster.serve))
		assert.equal("cluster.serve: the argument must be a table, got number 5", raised(cluster.serve, 5))
		assert.equal("cluster.serve: option 'marshal' must be a function, got nil", raised(cluster.serve, {}))
		assert.equal(
			"cluster.serve: option 'unmarshal' must be a function, got nil",
			raised(cluster.serve, { marshal = nothing })
		)
		assert.equal(
			"cluster.serve: option 'call' must be a function, got nil",
			raised(cluster.serve, { marshal = nothing, unmarshal = nothing })
		)
		for _, option in ipairs({ "marshal", "unmarshal", "call", "accept", "close" }) do
			assert.equal(
				"cluster.serve: option '" .. option .. "' must be a function, got string \"x\"",
				raised(cluster.serve, conf({ [option] = "x" }))
			)
		end
	end)

	it("serve wants a sensible timeout", function()
		assert.equal(
			"cluster.serve: option 'timeout' must be a whole number, got boolean",
			raised(cluster.serve, conf({ timeout = true }))
		)
		assert.equal(
			"cluster.serve: option 'timeout' must be a whole number, got number 1.5",
			raised(cluster.serve, conf({ timeout = 1.5 }))
		)
		for _, value in ipairs({ 0, -1, 1e9 }) do
			local why = raised(cluster.serve, conf({ timeout = value }))
			assert.truthy(why:find("option 'timeout' must be between 1 and 86400000, got number", 1, true), why)
		end
		for _, value in ipairs({ 1 / 0, -1 / 0, 0 / 0 }) do
			local why = raised(cluster.serve, conf({ timeout = value }))
			assert.truthy(why:find("option 'timeout' must be a whole number", 1, true), why)
		end
	end)

	it("serve wants bounds within bounds", function()
		for option, range in pairs({
			keepalive = { 2, 32767 },
			highwater = { 1, 2 ^ 30 },
			maxcalls = { 1, 2 ^ 24 },
			maxanswers = { 1, 2 ^ 30 },
			maxrequests = { 1, 2 ^ 24 },
		}) do
			local wanted = ("option '%s' must be between %d and %d, got number"):format(option, range[1], range[2])
			for _, value in ipairs({ range[1] - 1, range[2] + 1, -5 }) do
				local why = raised(cluster.serve, conf({ [option] = value }))
				assert.truthy(why:find(wanted, 1, true), why)
			end
			cluster.serve(conf({ [option] = range[1] }))
			cluster.serve(conf({ [option] = range[2] }))
		end
		cluster.serve(conf({ keepalive = false }))
		assert.equal(
			"cluster.serve: option 'keepalive' must be a whole number, got boolean",
			raised(cluster.serve, conf({ keepalive = true }))
		)
		assert.equal(
			"cluster.serve: option 'highwater' must be a whole number, got boolean",
			raised(cluster.serve, conf({ highwater = false }))
		)
	end)

	it("serve answers an unknown option with the nearest one", function()
		for wrong, right in pairs({
			timout = "timeout", marshall = "marshal", unmarshall = "unmarshal", calls = "call",
			on_close = "close", acept = "accept",
		}) do
			assert.equal(
				("cluster.serve: unknown option '%s' (did you mean '%s'?)"):format(wrong, right),
				raised(cluster.serve, conf({ [wrong] = nothing }))
			)
		end
		for _, stranger in ipairs({ { nothing }, { handler = nothing }, { x = 1 }, { [{}] = 1 } }) do
			assert.matches("^cluster%.serve: unknown option '[^']*' %(it takes marshal, unmarshal, call, accept, "
				.. "close, timeout, keepalive, highwater, maxcalls, maxanswers, maxrequests, wire, hardlimit, "
				.. "softlimit, edition, maxconnections, maxperhost, maxaccepts, tls, maxhandshakes, handshake%)$",
				raised(cluster.serve, conf(stranger)))
		end
	end)

	it("a serve that raises changes nothing", async(function()
		local peer = node.pair()
		pcall(cluster.serve, conf({ timeout = "x" }))
		assert.equal("r:x", (cluster.call(peer, 1, "x")))
	end))

	it("listen wants an address it can bind", function()
		for value, why in pairs({
			[""] = "it is empty",
			["127.0.0.1"] = "the port is missing",
			["127.0.0.1:"] = "the port is missing",
			["127.0.0.1:http"] = "the port is not a plain decimal number",
			["127.0.0.1:65536"] = "the port is over 65535",
			["localhost:80"] = "only a literal address can be listened on, not a name",
			["::1:80"] = "it has several colons, and an IPv6 address needs brackets around it",
			["1.2.3:80"] = "the host is not a valid IPv4 address",
		}) do
			assert.equal(
				('cluster.listen: bad address "%s": %s; wanted "ip:port", "[ipv6]:port", ":port" or "unix:/path"')
					:format(value, why),
				raised(cluster.listen, value)
			)
		end
		assert.equal("cluster.listen: the address must be a string, got nil", raised(cluster.listen))
		assert.equal("cluster.listen: the address must be a string, got number 80", raised(cluster.listen, 80))
		assert.truthy(raised(cluster.listen, "\255\254:80"):find("^cluster.listen: bad address "))
	end)

	it("listen wants a whole backlog", function()
		for value, why in pairs({
			[0] = "between 1 and 2147483647, got number 0",
			[1.5] = "a whole number, got number 1.5",
			x = 'a whole number, got string "x"',
		}) do
			assert.equal("cluster.listen: the backlog must be " .. why, raised(cluster.listen, "127.0.0.1:0", value))
		end
	end)

	it("connect wants an address it can dial", async(function()
		for value, why in pairs({
			[""] = "it is empty",
			[":80"] = "the host is missing",
			["127.0.0.1"] = "the port is missing",
			["127.0.0.1:0"] = "port 0 cannot be connected to",
			["a b:80"] = "it contains whitespace",
			["[::1:80"] = "the closing bracket is missing",
			["http://host:80"] = "it has several colons, and an IPv6 address needs brackets around it",
			["a..b:80"] = "the name has nothing before or between its dots",
		}) do
			assert.equal(
				('cluster.connect: bad address "%s": %s; wanted "ip:port", "[ipv6]:port", "name:port", '
					.. '"unix:/path" or "srv:_name._tcp.domain"'):format(value, why),
				raised(cluster.connect, value)
			)
		end
		assert.equal("cluster.connect: the address must be a string, got nil", raised(cluster.connect))
		assert.truthy(raised(cluster.connect, "\255\254:80"):find("^cluster.connect: bad address "))
	end))

	it("connect knows one option", async(function()
		assert.equal(
			"cluster.connect: the options must be a table, got boolean",
			raised(cluster.connect, "127.0.0.1:1", true)
		)
		assert.equal(
			"cluster.connect: unknown option 'share' (did you mean 'shared'?)",
			raised(cluster.connect, "127.0.0.1:1", { share = false })
		)
	end))

	for _, name in ipairs({ "call", "send" }) do
		it(name .. " wants a peer", async(function()
			local listener = node.listen()
			local wanted = "cluster." .. name .. ": the first argument must be a peer from cluster.connect or accept"
			for _, case in ipairs({
				{ 1, "number 1" }, { "127.0.0.1:80", 'string "127.0.0.1:80"' }, { {}, "table" }, { { addr = 5 }, "table" },
				{ { fd = 5 }, "table" }, { listener, "a listener" }, { nothing, "function" },
			}) do
				assert.equal(wanted .. ", got " .. case[2], raised(cluster[name], case[1], 1, "x"))
			end
			assert.equal(wanted .. ", got nil", raised(cluster[name]))
			assert.equal(
				"cluster." .. name .. ': the peer\'s addr: bad address "nowhere": the port is missing; '
					.. 'wanted "ip:port", "[ipv6]:port", "name:port", "unix:/path" or "srv:_name._tcp.domain"',
				raised(cluster[name], { addr = "nowhere" }, 1, "x")
			)
		end))

		it(name .. " wants a sensible deadline", async(function()
			local peer = node.pair()
			assert.equal(
				"cluster." .. name .. ": the timeout must be between 1 and 86400000, got number 0",
				raised(cluster[name], peer, 1, "x", 0)
			)
			assert.equal(
				"cluster." .. name .. ': the timeout must be a whole number, got string "soon"',
				raised(cluster[name], peer, 1, "x", "soon")
			)
		end))
	end

	it("close wants a table", function()
		assert.equal("cluster.close: the first argument must be a table, got nil", raised(cluster.close))
		assert.equal("cluster.close: the first argument must be a table, got number 5", raised(cluster.close, 5))
	end)

	it("what waits says that it must run in a task", function()
		for _, name in ipairs({ "connect", "call", "send" }) do
			assert.equal(
				"cluster." .. name .. " must run in a task: wrap it in task.fork(function() ... end)",
				raised(cluster[name], "127.0.0.1:1", 1, "x")
			)
		end
	end)

	it("what waits says so inside a coroutine of the script's own, and the task goes on", async(function()
		local peer = node.pair()
		for _, name in ipairs({ "connect", "call", "send" }) do
			local ok, why = coroutine.resume(coroutine.create(function()
				cluster[name](name == "connect" and peer.addr or peer, 1, "x")
			end))
			assert.is_false(ok)
			assert.truthy(why:find("cluster." .. name .. " cannot wait inside a coroutine of the script's own", 1, true))
		end
		assert.equal("r:x", (cluster.call(peer, 1, "x")))
	end))

	it("what waits says so below a C function, and the task goes on", async(function()
		if _VERSION == "Lua 5.2" then
			return
		end
		local peer = node.pair()
		local ok, why = pcall(string.gsub, "x", "x", function()
			cluster.call(peer, 1, "x")
		end)
		assert.is_false(ok)
		assert.truthy(why:find("cluster.call cannot wait here: a C function", 1, true))
		assert.equal("r:x", (cluster.call(peer, 1, "x")))
	end))

	it("listen and close work where nothing may wait", async(function()
		local listener
		coroutine.wrap(function()
			listener = node.listen()
			cluster.close(listener)
		end)()
		assert.is_nil(listener.fd)
	end))

	it("everything but serve names serve when it was not called yet", function()
		local out, err, status = process.run([[
			local cluster = require "silly.net.cluster"
			local task = require "silly.task"
			local function try(name, ...)
				print(select(2, pcall(cluster[name], ...)))
			end
			try("listen", "127.0.0.1:0")
			try("close", {})
			try("call", {}, 1, "x")
			task.fork(function()
				try("connect", "127.0.0.1:1")
				try("call", {}, 1, "x")
				try("send", {}, 1, "x")
			end)
		]])
		assert.equal("", err)
		assert.equal(0, status)
		local count = 0
		for line in out:gmatch("[^\n]+") do
			count = count + 1
			assert.truthy(line:find("cluster%.%l+: call cluster.serve first, with marshal, unmarshal and call$"), line)
		end
		assert.equal(6, count)
	end)

	it("a mistake of a task is logged with its place, and costs that task only", async(function()
		local log = require "spec.support.log"
		local peer = node.pair()
		task.fork(function()
			cluster.call(nil, 1, "x")
		end)
		assert.equal("r:x", (cluster.call(peer, 1, "x")))
		assert.equal(1, log.count("E"))
		assert.truthy(log.text():find("cluster_errors_spec.lua:%d+: cluster.call: the first argument must be a peer"))
	end))
end)
