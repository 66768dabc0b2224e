--- Processes that are killed while others talk to them: every call returns, once, with its own answer
--- or the truth, and nothing is carried out twice.

local cluster = require "silly.net.cluster"
local task = require "silly.task"
local time = require "silly.time"
local chaos = require "spec.support.chaos"
local log = require "spec.support.log"
local node = require "spec.support.node"
local process = require "spec.support.process"
local raw = require "spec.support.raw"
local shell = require "spec.support.shell"
local size = require "spec.support.size"

--- Milliseconds from the moment the kernel tells of a dead connection to the last call's return.
local AT_ONCE = 100

--- Milliseconds from the last restart to the first answer.
local RECOVERY = 1000

local CALLERS = 200

--- Keeps every caller waiting, and says so once a thousand do.
local SERVER = [[
	local cluster = require "silly.net.cluster"
	local task = require "silly.task"
	local held = 0
	cluster.serve {
		marshal = function(_, cmd, body) return cmd, body end,
		unmarshal = function(_, _, data) return data end,
		call = function()
			held = held + 1
			if held == 1000 then
				print("holding 1000")
			end
			task.wait()
		end,
	}
	print("listening on " .. assert(cluster.listen("127.0.0.1:0")).addr)
]]

teardown(shell.clean)

describe("a killed server", function()
	before_each(node.before)
	after_each(function()
		node.after()
		process.kill_all()
	end)

	it("ends each of 1,000 calls in flight once, with closed, as soon as the kernel says so", async(function()
		local child = process.start(SERVER)
		local peer = node.connect(child:output("listening on ([%d.:]+)\n"))
		local witness = raw.connect(peer.addr)
		local told -- when the close callback ran
		node.serve({
			timeout = 60000,
			close = function()
				told = time.monotonic()
			end,
		})
		local returns, threads, count, last = {}, {}, 0, nil
		for index = 1, 1000 do
			threads[index] = task.fork(function()
				returns[index] = { cluster.call(peer, 1, "never answered") }
				count, last = count + 1, time.monotonic()
				-- A second return would end this wait too early.
				returns[index].after = task.wait()
			end)
		end
		child:output("holding 1000")
		child:kill()
		assert.is_true(witness:has_ended())
		local noticed = time.monotonic()
		node.eventually(function()
			return count == 1000 and told
		end, "the calls' returns")
		time.sleep(AT_ONCE)
		for index = 1, 1000 do
			task.wakeup(threads[index], "the end")
		end
		time.sleep(0)
		for index = 1, 1000 do
			assert.same({ nil, "closed", after = "the end" }, returns[index])
		end
		local took = last - math.min(noticed, told)
		size.note("1,000 calls in flight at kill -9: all returned after the kernel's notice", "%d ms", took)
		assert.is_true(took <= AT_ONCE, took)
		assert.equal("", log.text())
	end))
end)

--- What holds whoever is killed.
local function assert_promises(what, run)
	local found, returns = run.ledger, {}
	for outcome, count in pairs(found.outcomes) do
		returns[#returns + 1] = ("%d %s"):format(count, outcome)
	end
	table.sort(returns)
	size.note(what, "%d kills; %s; carried out %d; answers again %d ms after the last restart",
		run.kills, table.concat(returns, ", "), found.executed_count, run.recovery)
	assert.equal("", found:verdict())
	assert.same({ repeated = 0, mismatched = 0, lost = 0, failed = 0, hung = 0 }, found.breaches)
	for outcome in pairs(found.outcomes) do
		assert.truthy(("answered sent closed refused"):find(outcome, 1, true), outcome)
	end
	assert.is_true(run.recovery <= RECOVERY, run.recovery)
	-- A node that was killed a moment ago may still hold the address.
	assert.equal("", (run.log:gsub("[^\n]*: Address already in use\n", "")))
end

describe("killed and restarted again and again,", function()
	before_each(node.before)
	after_each(function()
		node.after()
		process.kill_all()
	end)

	it("a server keeps every promise to 200 callers", async(function()
		local run = chaos.run(size.of(2500, 60000), { listen = 0, dial = CALLERS }, { "listen" })
		assert_promises("Server killed every 300 ms under 200 callers", run)
		assert.is_true(run.ledger.outcomes.closed > 0)
	end, chaos.LIMIT))

	it("a client of 200 callers is cut off, and no more than that", async(function()
		local run = chaos.run(size.of(1000, 60000), { listen = 0, dial = CALLERS }, { "dial" })
		assert_promises("Client of 200 callers killed every 300 ms", run)
		for _, count in pairs(run.ledger.cut) do
			assert.is_true(count <= CALLERS, count)
		end
		assert.is_true(run.ledger:cut_count() > 0)
		-- The last client's, unless it has ended first; of those killed nothing is left.
		local left = tonumber(run.children.listen:output("connections that came in: (%d+)"))
		assert.is_true(left <= 1, left)
	end, chaos.LIMIT))

	it("two nodes that ask each other keep every promise", async(function()
		local callers = { listen = CALLERS, dial = CALLERS }
		local run = chaos.run(size.of(1000, 60000), callers, { "listen", "dial" })
		assert_promises("Both ends with 200 callers, killed in turn every 300 ms", run)
		assert.is_true(run.ledger.outcomes.closed > 0)
	end, chaos.LIMIT))
end)
