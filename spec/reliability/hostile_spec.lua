--- Hostile bytes: storms of connections that send what no good node sends.

local cluster = require "silly.net.cluster"
local time = require "silly.time"
local waitgroup = require "silly.sync.waitgroup"
local log = require "spec.support.log"
local meter = require "spec.support.meter"
local node = require "spec.support.node"
local process = require "spec.support.process"
local raw = require "spec.support.raw"
local size = require "spec.support.size"
local wire = require "spec.support.wire"

local CONNECTIONS = size.of(300, 10000)
--- How long the slow ones of a storm are there, at a byte a second.
local SECONDS = size.of(1, 20)
--- Seconds for everything.
local LIMIT = size.of(20, 300)

--- The command of a request for the server's counts.
local COUNTS = 0x7fffffff

local SERVER = ([[
	local cluster = require "silly.net.cluster"
	cluster.serve {
		marshal = function(_, cmd, body) return cmd, body end,
		unmarshal = function(_, _, data) return data end,
		call = function(_, cmd, body)
			if cmd ~= %d then return body end
			-- What a script has not collected yet is not what a storm leaves behind.
			collectgarbage() collectgarbage()
			local stats = cluster.stats()
			return stats.connections_in .. " " .. stats.refused_frames
		end,
	}
	print("at " .. assert(cluster.listen("127.0.0.1:0", 4096)).addr)
]]):format(COUNTS)

local STORM = [[require("spec.support.storm").main("%s", %d, %d, %d)]]

--- Calls without a pause until it is over: how many, and the longest of them in milliseconds.
local function keep_calling(peer, is_over)
	local count, longest = 0, 0
	repeat
		count = count + 1
		local body = "call " .. count
		local took, answer, why = node.timed(cluster.call, peer, 1, body)
		assert.equal(body, answer, why)
		longest = math.max(longest, took)
	until is_over()
	return count, longest
end

--- Sends requests a byte at a time until it is over, and takes the answers.
local function keep_dawdling(client, is_over)
	local session = 0
	repeat
		session = session + 1
		for byte in wire.request(session, 1, "slow"):gmatch(".") do
			client:send(byte)
			time.sleep(is_over() and 0 or 100)
		end
		assert.same({ response = true, session = session, data = "slow" }, client:frame())
	until is_over()
	return session
end

describe("under storms of hostile connections", function()
	before_each(node.before)
	after_each(function()
		node.after()
		process.kill_all()
	end)

	it("a server serves the others, closes only who offends, and grows no further", async(function()
		local server = process.start(SERVER, { seconds = LIMIT })
		local addr = server:output("at ([%d.:]+)")
		local good, quiet, dawdler = node.connect(addr), raw.connect(addr), raw.connect(addr)
		local offences, memory = 0, {}

		local function weather(seed)
			local over = false
			local function is_over()
				return over
			end
			local calls, longest, dawdled
			local others = waitgroup.new()
			others:fork(function()
				calls, longest = keep_calling(good, is_over)
			end)
			others:fork(function()
				dawdled = keep_dawdling(dawdler, is_over)
			end)
			local storm = process.start(STORM:format(addr, CONNECTIONS, SECONDS, seed), { seconds = LIMIT })
			local result = storm:output("(over: [^\n]*)\n", LIMIT * 1000)
			over = true
			others:wait()
			storm:kill()
			assert.equal("", log.text())
			assert.is_true(calls > 0 and dawdled > 0)

			local committed = assert(tonumber(result:match("offences: (%d+)")))
			assert.equal(("over: %d, offences: %d, wronged: "):format(CONNECTIONS, committed), result)
			assert.is_true(committed > 0)
			offences = offences + committed
			-- Nobody but the three of this test is left, and only who offended was closed.
			node.eventually(function()
				return cluster.call(good, COUNTS, "") == "3 " .. offences
			end, "the end of the storm's connections", 10000)
			memory[seed] = meter.resident(server.pid) / 1024
			size.note("calls answered during a storm of " .. CONNECTIONS .. " hostile connections",
				"%d, the longest after %d ms", calls, longest)
		end

		for seed = 1, 3 do
			weather(seed)
		end
		quiet:send(wire.request(1, 1, "still here"))
		assert.equal("still here", quiet:frame().data)
		size.note("resident memory after each of three such storms", "%.0f, %.0f, %.0f KiB", memory[1], memory[2], memory[3])
		-- The first one may leave what comes once, such as the code that LuaJIT compiles; the second nothing.
		assert.is_true(memory[2] < 1.1 * memory[1], table.concat(memory, ", "))
		assert.is_true(memory[3] < 1.05 * memory[2], table.concat(memory, ", "))
	end, LIMIT))
end)
