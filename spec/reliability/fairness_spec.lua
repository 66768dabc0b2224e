--- Fairness: one connection that takes all it can get leaves the others theirs.
--
-- The server is one process, whoever takes all is another, and this one asks. What a call takes then
-- is set beside what it took before, in the same run. Others use this machine, too: of several rounds
-- the calmest counts, as what the server itself does to a call, it does in every round.

local socket = require "socket"
local cluster = require "silly.net.cluster"
local task = require "silly.task"
local time = require "silly.time"
local crowded = require "spec.support.crowded"
local node = require "spec.support.node"
local process = require "spec.support.process"
local raw = require "spec.support.raw"
local size = require "spec.support.size"

local ROUNDS = size.of(4, 12)
--- How long a round is, in seconds.
local ROUND = size.of(0.1, 0.5)

--- How long a server of this file and those who press it live at most, in seconds.
local LIFE = { seconds = size.of(15, 120) }

--- Requests of one size that get no answer (FORGET), as fast as the kernel takes them.
local FLOOD = [[
	local socket = require "socket"
	local wire = require "spec.support.wire"
	local server = socket.tcp4()
	assert(server:connect("127.0.0.1", %d))
	local request = wire.request(1, 3, ("x"):rep(%d))
	local block = request:rep(math.ceil(2 ^ 20 / #request))
	repeat until not server:send(block)
]]

--- Connections one after the other, each reset as soon as it is there.
local STORM = [[
	local socket = require "socket"
	while true do
		local client = socket.tcp4()
		client:connect("127.0.0.1", %d)
		client:setoption("linger", { on = true, timeout = 0 })
		client:close()
	end
]]

--- Calls, with a pause of a millisecond after each, so that they do not all meet the moments in which
--- there is no pressure: the median and the ninth tenth of what they took, in milliseconds.
local function round(peer)
	local took, body = {}, ("x"):rep(32)
	local stop = socket.gettime() + ROUND
	repeat
		local began = socket.gettime()
		assert(cluster.call(peer, crowded.ECHO, body) == body)
		took[#took + 1] = (socket.gettime() - began) * 1000
		time.sleep(1)
	until socket.gettime() > stop
	table.sort(took)
	return { median = took[math.ceil(#took / 2)], tenth = took[math.ceil(#took * 0.9)] }
end

--- The calmest of several rounds, of those that `counts` says yes to.
local function calmest(peer, counts)
	local best
	for _ = 1, ROUNDS do
		local one = round(peer)
		if counts() and not (best and best.median < one.median) then
			best = one
		end
	end
	return best
end

describe("beside whoever takes all it can get", function()
	local server, peer

	before_each(node.before)
	after_each(function()
		node.after()
		process.kill_all()
	end)

	--- A server with one connection of ours.
	local function serve()
		server = process.start('require("spec.support.crowded").server()', LIFE)
		peer = node.connect(server:output("at ([%d.:]+)"))
	end

	--- A count of the server's.
	local function count(what)
		return tonumber((assert(cluster.call(peer, crowded.COUNT, what))))
	end

	--- Puts a program on the server: what calls take without it, and beside it. Only rounds count in
	--- which `what` the server counts grows by at least so much.
	local function press(program, body, what, least)
		serve()
		local quiet = calmest(peer, function()
			return true
		end)
		local before = count(what)
		process.start(program:format(peer.addr:match("%d+$"), body), LIFE)
		node.eventually(function()
			return count(what) >= before + least
		end, "the pressure")
		before = count(what)
		local function presses()
			local now = count(what)
			local grown = now - before
			before = now
			return grown >= least
		end
		return quiet, assert(calmest(peer, presses), "the pressure is gone")
	end

	--- A call is to take at most ten times as long as before, and 5 ms.
	local function judge(name, quiet, pressed)
		size.note("round trip of a call beside " .. name, "%.2f ms, quiet %.2f ms (median)", pressed.median, quiet.median)
		size.note("slowest tenth beside " .. name, "%.2f ms, quiet %.2f ms", pressed.tenth, quiet.tenth)
		local bound = quiet.median * 10 + 5
		assert.is_true(pressed.median <= bound, ("%.2f ms, at most %.2f"):format(pressed.median, bound))
	end

	it("a call is answered soon: one connection that floods", async(function()
		judge("a flood of requests", press(FLOOD, 0, "requests_received", 5000))
	end, LIFE.seconds))

	it("a call is answered soon: bodies of 64 KB", async(function()
		judge("bodies of 64 KB", press(FLOOD, 65519, "bytes_received", 2 ^ 20))
	end, LIFE.seconds))

	it("a call is answered soon: a storm of connections", async(function()
		judge("a storm of connections", press(STORM, 0, "accepts", 100))
	end, LIFE.seconds))

	it("a call does not wait for a crowd in the backlog", async(function()
		local crowd = size.of(1000, 4000)
		serve()
		local before = count("accepts")
		server:signal("STOP")
		for _ = 1, crowd do
			raw.connect(peer.addr)
		end
		local sent, met = cluster.stats().requests_sent, nil
		task.fork(function()
			met = count("accepts") - before
		end)
		node.eventually(function()
			local stats = cluster.stats()
			return stats.requests_sent > sent and stats.bytes_queued == 0
		end, "the call")
		server:signal("CONT")
		node.eventually(function()
			return met
		end, "the answer")
		node.eventually(function()
			return count("accepts") == before + crowd
		end, "all accepts")
		size.note("accepts of " .. crowd .. " in the backlog before a call is handled", "%d", met)
		assert.is_true(met <= 4 * 64, met .. " accepts came first")
	end, LIFE.seconds))
end)
