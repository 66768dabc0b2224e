--- Connections whose other end is gone without a word, or is there and reads nothing.

local cluster = require "silly.net.cluster"
local errno = require "silly.errno"
local task = require "silly.task"
local time = require "silly.time"
local namespace = require "spec.support.namespace"
local node = require "spec.support.node"
local process = require "spec.support.process"
local shell = require "spec.support.shell"
local size = require "spec.support.size"

teardown(shell.clean)

--- What the nodes of both hosts have in common. What they say begins with the time, which is one for
--- all hosts of a machine.
local NODE = [[
local cluster, errno = require "silly.net.cluster", require "silly.errno"
local silly, task, time = require "silly", require "silly.task", require "silly.time"
time.after(20000, function() os.exit(99) end)
local function say(...)
	print(time.now(), ...)
	io.stdout:flush()
end
local function serve(keepalive, close)
	cluster.serve {
		marshal = function(_, cmd, body) return cmd, body end,
		unmarshal = function(_, _, data) return data end,
		call = function(_, _, body) return "r:" .. body end,
		close = close,
		timeout = 10000,
		keepalive = keepalive,
	}
end
]]

--- Listens until it is killed, and says when it has taken in three connections and lost them.
local SERVER = NODE .. [[
serve(SECONDS, function(_, code)
	if cluster.stats().connections_in == 0 then say(errno[code]) end
end)
assert(cluster.listen("FAR:8888"))
say("listens")
]]

--- An idle connection, one with calls in flight, one that may stand for ever, and a dial, when the
--- link is cut; then it is mended.
local CLIENT = NODE .. [[
local names = {}
local function close(peer, code) say(names[peer] .. " close", errno[code]) end
local function connect(name)
	local peer = cluster.connect("FAR:8888", { shared = false })
	names[peer] = name
	assert(cluster.call(peer, 1, name) == "r:" .. name)
	return peer
end
local function call(what, peer, limit)
	local answer, why = cluster.call(peer, 1, "x", limit)
	say(what, answer or why)
end
task.fork(function()
	serve(false, close)
	local patient = connect("patient")
	serve(SECONDS, close)
	local idle, busy = connect("idle"), connect("busy")
	assert(os.execute(CUT))
	say("cut")
	task.fork(function() call("short", busy, 1000) end)
	task.fork(function() call("long", busy, 15000) end)
	task.fork(function() call("dial", { addr = "FAR:9999" }, 700) end)
	while idle.fd or busy.fd do time.sleep(10) end
	time.sleep(500)
	say("patient", patient.fd ~= nil)
	assert(os.execute(MEND))
	say("mended")
	call("idle", idle)
	call("busy", busy)
	call("patient first", patient)
	call("patient then", patient)
	say("reconnects", cluster.stats().reconnects)
	silly.exit(0)
end)
]]

--- What a program said: moments and words, by the word that each line begins with.
local function heard(text)
	local at, words = {}, {}
	for moment, key, rest in text:gmatch("(%d+)\t([^\t\n]+)\t?([^\n]*)\n") do
		at[key], words[key] = tonumber(moment), rest
	end
	return at, words
end

describe("when the link is cut", function()
	local network, why

	setup(function()
		network, why = namespace.open()
	end)
	teardown(function()
		if network then
			network:close()
		end
	end)

	local function start(host, script, seconds)
		return network:start(host, (script:gsub("%u%u%u+", {
			SECONDS = seconds, FAR = namespace.FAR,
			CUT = ("%q"):format(network:forward(0)), MEND = ("%q"):format(network:forward(1)),
		})))
	end

	for _, seconds in ipairs(size.of({ 2 }, { 2, 3, 5, 10 })) do
		it(("both ends notice within %d s, callers by their deadlines"):format(seconds), function()
			if not network then
				pending("no network namespaces, which need root: " .. why)
			end
			local server = start("far", SERVER, seconds)
			assert.matches("listens", server.read())
			local client = start("near", CLIENT, seconds)
			local at, words = heard(client.wait().out)
			local freed = server.read()
			server.kill("KILL")
			server.wait()
			local function after(key)
				return at[key] - at.cut
			end
			-- Whole seconds, and the kernel's timers, which are late by some of their length.
			local least, most = seconds * 500, seconds * 1000 + 500
			local timeout = errno.TIMEDOUT
			assert.equal("timeout", words.short)
			assert.is_true(after("short") >= 995 and after("short") < 1300, after("short"))
			assert.equal("timeout", words.dial)
			assert.is_true(after("dial") >= 695 and after("dial") < 1000, after("dial"))
			assert.equal("closed", words.long)
			for _, key in ipairs({ "idle close", "busy close" }) do
				assert.equal(timeout, words[key])
				assert.is_true(after(key) > least and after(key) < most, key .. ": " .. after(key))
				size.note(("keepalive of %d s, %s callback after"):format(seconds, key), "%d ms", after(key))
			end
			assert.equal("true", words.patient)
			local moment, code = freed:match("(%d+)\t(.*)")
			assert.equal(timeout, code)
			assert.is_true(moment - at.cut < most, moment - at.cut)
			-- Everybody calls again.
			assert.same({ "r:x", "r:x" }, { words.idle, words.busy })
			assert.same({ "closed", "r:x" }, { words["patient first"], words["patient then"] })
			assert.equal("3", words.reconnects)
		end)
	end
end)

describe("a peer that is there but stands still", function()
	before_each(node.before)
	after_each(function()
		process.kill_all()
		node.after()
	end)

	it("is closed once it has taken nothing of what waits for it for as long as keepalive says", async(function()
		local SECONDS = 2
		local closed
		node.serve({
			keepalive = SECONDS,
			close = function(_, code)
				closed = code
			end,
		})
		local child = process.start [[
			local cluster = require "silly.net.cluster"
			cluster.serve {
				marshal = function(_, cmd, body) return cmd, body end,
				unmarshal = function(_, _, data) return data end,
				call = function() end,
			}
			print(assert(cluster.listen("127.0.0.1:0")).addr)
			io.stdout:flush()
		]]
		local peer = node.connect(child:output("(%S+)\n"))
		assert.is_true(cluster.send(peer, 1, "x"))
		os.execute("kill -STOP " .. child.pid)
		local outcome
		local began = time.monotonic()
		task.fork(function()
			local body = ("x"):rep(60000)
			while not outcome do
				outcome = select(2, cluster.send(peer, 1, body, 10000))
			end
		end)
		node.eventually(function()
			return closed
		end)
		local took = time.monotonic() - began
		assert.equal(errno.TIMEDOUT, errno[closed])
		assert.is_true(took > SECONDS * 500 and took < SECONDS * 1000 + 1000, took)
		size.note("keepalive of 2 s, a peer that stands still is closed after", "%d ms", took)
		node.eventually(function()
			return outcome
		end)
		assert.equal("closed", outcome)
	end))
end)
