--- No memory for Lua: what is refused while a message is handled costs that message and nothing else.

local cluster = require "silly.net.cluster"
local node = require "spec.support.node"
local shell = require "spec.support.shell"
local size = require "spec.support.size"

teardown(shell.clean)

--- What the server does, by command.
local ECHO, SLOW, GROW, FETCH, BUDGET, LUCK, REPORT, LEAVE = 1, 2, 3, 4, 5, 6, 7, 8

local SERVER = [[
local cluster, silly = require "silly.net.cluster", require "silly"
local task, time = require "silly.task", require "silly.time"
local deeds = {
	function(_, body) return body end,
	function(_, body) time.sleep(1) return body end,
	function(_, body) return body .. ("x"):rep(60000) end,
	function(peer) return select(2, cluster.call(peer, 1, "")) or "fetched" end,
	function(_, body) collectgarbage() budget(tonumber(body)) return "set" end,
	function(_, body) luck(tonumber(body:match("^%d+")), tonumber(body:match(" (%d+)"))) return "set" end,
	function()
		local stats, tasks = cluster.stats(), 0
		for _ in pairs(task.inspect()) do tasks = tasks + 1 end
		-- But for this one.
		return ("handlers %d, calls %d, tasks %d"):format(stats.handlers - 1, stats.calls_in_flight, tasks - 1)
	end,
	function() silly.exit(0) end,
}
cluster.serve {
	marshal = function(_, cmd, body) return cmd, body end,
	unmarshal = function(_, _, data) return data end,
	call = function(peer, cmd, body) return deeds[cmd](assert(peer), body) end,
	accept = function(peer) assert(peer) end,
	close = function(peer) assert(peer) end,
}
silly.run(function()
	print(assert(cluster.listen("127.0.0.1:0")).addr)
	io.stdout:flush()
end)
print("left " .. refused())
]]

--- One request for memory is refused, in every round the next one, until there are no more: a few
--- callers, their connections and handlers, all in one process that counts what is left of them.
local ROUND = [[
local cluster, silly = require "silly.net.cluster", require "silly"
local task, time = require "silly.task", require "silly.time"
cluster.serve {
	marshal = function(_, cmd, body) return cmd, body end,
	unmarshal = function(_, _, data) return data end,
	call = function(_, cmd, body) if cmd == 2 then time.sleep(1) end return body end,
	accept = function(peer) assert(peer) end,
	close = function(peer) assert(peer) end,
}
local listener = assert(cluster.listen("127.0.0.1:0"))
local function ask(index)
	local peer = cluster.connect(listener.addr, { shared = false })
	for cmd = 1, 2 do
		local body = tostring(index):rep(50 * cmd)
		local answer = cluster.call(peer, cmd, body, 50)
		assert(answer == nil or answer == body, "somebody else's answer")
	end
	cluster.close(peer)
end
local function left()
	local stats, tasks = cluster.stats(), 0
	for _ in pairs(task.inspect()) do tasks = tasks + 1 end
	return stats.handlers + stats.calls_in_flight + tasks
end
local function settle()
	local limit = time.monotonic() + 5000
	repeat pcall(silly.step, 10) until left() == 0 or time.monotonic() > limit
	return left() == 0
end
local before = refused()
turn(round)
for index = 1, CALLERS do pcall(task.fork, ask, index) end
-- It is this script that has no memory when its own functions fail.
while not pcall(settle) do end
turn()
local hit = refused() > before
local answers = 0
for index = 1, CALLERS do
	task.fork(function()
		local peer = cluster.connect(listener.addr, { shared = false })
		assert(cluster.call(peer, 2, "x"))
		answers = answers + 1
	end)
end
assert(settle(), ("round %d: %d tasks, handlers and calls are left"):format(round, left()))
assert(answers == CALLERS, ("round %d: %d answers"):format(round, answers))
if not hit then print("rounds " .. round) end
return hit
]]

describe("a server without memory", function()
	local pauper, problem
	local server, peer

	setup(function()
		pauper, problem = shell.host("pauper")
	end)

	before_each(node.before)
	after_each(function()
		if server then
			server.kill("KILL")
			server.wait()
			server = nil
		end
		node.after()
	end)

	local BIG = ("y"):rep(60000)

	local function ask(cmd, body, limit)
		return cluster.call(peer, cmd, body or "", limit)
	end

	if _VERSION == "Lua 5.1" then
		pending("is refused: this Lua collects no garbage then, and LuaJIT itself goes astray at times")
		return
	end

	local function start(wrapper)
		assert(pauper, problem)
		server = shell.start(SERVER, { command = wrapper .. pauper })
		node.serve({
			call = function()
				return BIG
			end,
		})
		peer = node.connect((server.read()))
	end

	--- Ends the server in order: what it said on standard error, how often it was refused memory.
	local function leave()
		ask(LEAVE, "", 100)
		local ended = server.wait()
		server = nil
		assert.equal(0, ended.number, ended.err)
		return ended.err, tonumber(ended.out:match("left (%d+)"))
	end

	it("loses what does not fit, says so, and does all else", async(function()
		start("")
		assert.equal("set", ask(BUDGET, "30000"))
		node.crowd(30, function(index)
			local answer, why = ask(index % 2 == 0 and ECHO or GROW, index % 2 == 0 and BIG or "", 300)
			assert(not answer, "there was memory")
			assert.equal("timeout", why)
		end)
		assert.equal("small", ask(ECHO, "small"))
		assert.equal("not enough memory", ask(FETCH))
		assert.equal("handlers 0, calls 0, tasks 0", ask(REPORT))
		assert.equal("set", ask(BUDGET, tostring(2 ^ 30)))
		assert.equal(BIG, ask(ECHO, BIG))
		assert.equal("fetched", ask(FETCH))
		local said, refused = leave()
		local _, requests = said:gsub("%[silly%] an event was lost: not enough memory", "")
		local _, handlers = said:gsub("%[cluster%] request of [^\n]- failed: [^\n]*not enough memory", "")
		-- The answer to FETCH is among the events.
		assert.same({ 16, 15 }, { requests, handlers })
		assert.is_true(refused >= 31)
	end))

	it("loses a message at most for whichever request is refused", function()
		assert(pauper, problem)
		shell.write("script.lua", ("local CALLERS = %d\n"):format(size.of(2, 20)) .. ROUND)
		local result = shell.command(pauper .. " script.lua", nil, nil, 100)
		assert.equal(0, result.status, result.err:sub(-2000))
		local rounds = tonumber(result.out:match("rounds (%d+)"))
		size.note("requests for memory that were refused one by one", "%d", rounds)
		assert.is_true(rounds > 100, rounds)
	end, 100)

	--- Callers in a crowd and connections that come and go, while one request in `luck` is refused.
	---@param limit integer milliseconds for each call
	---@return integer answered, integer timed_out, integer refused
	local function crowd(wrapper, luck, seed, callers, limit)
		start(wrapper)
		assert.equal("set", ask(LUCK, luck .. " " .. seed))
		local outcomes = { answered = 0, timeout = 0 }
		node.crowd(callers, function(caller)
			for round = 1, 40 do
				local body = ("%d.%d "):format(caller, round):rep(round)
				local answer, why = ask(round % 2 == 0 and ECHO or SLOW, body, limit)
				assert(answer == nil or answer == body, "somebody else's answer")
				local outcome = why or "answered"
				outcomes[outcome] = (outcomes[outcome] or 0) + 1
				if round % 10 == 0 then
					local other = cluster.connect(peer.addr, { shared = false })
					cluster.call(other, ECHO, body, limit)
					cluster.close(other)
				end
			end
		end)
		assert.same({ answered = outcomes.answered, timeout = outcomes.timeout }, outcomes)
		node.eventually(function()
			return ask(LUCK, "0", limit)
		end)
		node.eventually(function()
			return ask(REPORT) == "handlers 0, calls 0, tasks 0"
		end, "the end of all that was begun")
		local newcomer = node.connect(peer.addr, { shared = false })
		assert.equal(BIG, (cluster.call(newcomer, ECHO, BIG)))
		local _, refused = leave()
		return outcomes.answered, outcomes.timeout, refused
	end

	it("which is refused at random answers what it can, and keeps its books", async(function()
		-- Valgrind takes its time.
		local wrapper, callers, limit = size.of("", shell.valgrind .. " "), size.of(50, 150), size.of(150, 1500)
		local answered, timed_out, refused = crowd(wrapper, 30, 1, callers, limit)
		size.note("calls answered while memory was refused at random", "%d of %d", answered, answered + timed_out)
		size.note("requests for memory that were refused", "%d", refused)
		assert.is_true(refused > 50, refused)
		assert.is_true(answered > 1000, answered)
	end, 100))

	it("which is refused every fifth request keeps its books", async(function()
		for seed = 1, size.of(1, 15) do
			local _, _, refused = crowd("", 5, seed, 25, 100)
			assert.is_true(refused > 200, refused)
		end
	end, 100))
end)
