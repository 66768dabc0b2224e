local silly = require "silly"
local task = require "silly.task"
local time = require "silly.time"
local trace = require "silly.trace"
local echo = require "spec.support.echo"

--- An id as 16 digits, whatever it is on this interpreter.
local function hex(id)
	return type(id) == "string" and id or ("%016x"):format(id)
end

--- The id with these 16 digits: a string where integers have fewer than 64 bits.
local function id_of(digits)
	if not math.tointeger then
		return digits
	end
	local high, low = digits:sub(1, 8), digits:sub(9)
	return math.tointeger(tonumber(high, 16)) * 4294967296 + math.tointeger(tonumber(low, 16))
end

describe("silly.trace", function()
	after_each(function()
		trace.setnode(0)
		trace.attach(nil)
	end)

	it("T21: passes an id on with this node's number in place of the last one's", async(function()
		trace.attach(id_of "1234567890abcdef")
		trace.setnode(0xBEEF)
		assert.equal("1234567890abbeef", hex(trace.propagate()))
		assert.equal("1234567890abcdef", hex(trace.current()))
		trace.setnode(0x77)
		assert.equal("1234567890ab0077", hex(trace.propagate()))
	end))

	it("T22: starts forks and timers without an id", async(function()
		trace.setnode(0xBEEF)
		trace.spawn()
		local seen = {}
		task.fork(function()
			seen[1] = hex(trace.propagate())
		end)
		time.after(0, function()
			seen[2] = hex(trace.propagate())
		end)
		time.sleep(10)
		assert.same({ "000000000000beef", "000000000000beef" }, seen)
	end))

	it("T23: numbers what it spawns one after the other", async(function()
		local numbers = {}
		for index = 1, 3 do
			trace.spawn()
			numbers[index] = tonumber(hex(trace.current()):sub(9, 12), 16)
		end
		assert.equal((numbers[1] + 1) % 65536, numbers[2])
		assert.equal((numbers[2] + 1) % 65536, numbers[3])
	end))

	it("lays an id out as root, second, number and parent", async(function()
		trace.setnode(0xBEEF)
		local before = os.time()
		trace.spawn()
		local root, second, _, parent = hex(trace.current()):match("^(....)(....)(....)(....)$")
		assert.equal("beef", root)
		assert.is_true((tonumber(second, 16) - before) % 65536 <= 1)
		assert.equal("0000", parent)
		trace.setnode(1)
		assert.matches("^beef", hex(trace.propagate()))
	end))

	it("returns the id before from spawn and attach", async(function()
		assert.equal(0, trace.spawn())
		local spawned = trace.current()
		assert.equal(spawned, trace.attach(id_of "00000000000000ff"))
		assert.equal("00000000000000ff", hex(trace.attach(nil)))
		assert.equal(0, trace.attach(0))
		assert.equal(0, trace.current())
		assert.equal(0, select("#", trace.setnode(5)))
	end))

	it("keeps an id over a wait and shows it in a coroutine of the script's own", async(function()
		trace.attach(id_of "ffffffffffff0000")
		time.sleep(1)
		assert.equal("ffffffffffff0000", hex(trace.current()))
		coroutine.wrap(function()
			assert.equal("ffffffffffff0000", hex(trace.current()))
			trace.attach(id_of "0000000000000001")
		end)()
		assert.equal("0000000000000001", hex(trace.current()))
	end))

	it("gives a main chunk an id of its own", function()
		assert.equal(0, trace.attach(7))
		local seen
		task.fork(function()
			seen = trace.current()
		end)
		silly.step(0)
		assert.equal(0, seen)
		assert.equal(7, trace.attach(nil))
	end)

	it("counts 16 bits of a node's number and validates it first", async(function()
		trace.setnode(0x12345)
		assert.equal("0000000000002345", hex(trace.propagate()))
		trace.spawn()
		assert.matches("^2345", hex(trace.current()))
		trace.setnode(-1)
		assert.matches("ffff$", hex(trace.propagate()))
		trace.setnode("16")
		for _, wrong in ipairs { "x", {}, 1.5 } do
			local ok, problem = pcall(function()
				trace.setnode(wrong)
			end)
			assert.is_false(ok)
			assert.matches("trace_spec%.lua:%d+: trace%.setnode: the node must be a whole number", problem)
		end
		assert.is_false((pcall(trace.setnode)))
		assert.matches("0010$", hex(trace.propagate()))
	end))

	it("refuses an id that is none", async(function()
		for _, wrong in ipairs { {}, true, print } do
			local ok, problem = pcall(function()
				trace.attach(wrong)
			end)
			assert.is_false(ok)
			assert.matches("trace_spec%.lua:%d+: trace%.attach: the id must be a number", problem)
		end
		if math.tointeger then
			assert.is_false((pcall(trace.attach, "12")))
			assert.is_false((pcall(trace.attach, 1.5)))
			assert.is_false((pcall(trace.attach, 2 ^ 63)))
			trace.attach(5.0)
			assert.equal(5, trace.current())
			assert.equal("integer", math.type(trace.current()))
		end
	end))

	it("travels with a request: the handler has the caller's id as passed on", async(function()
		local seen, own = nil, nil
		local node = echo.open(function(_, _, body)
			seen = hex(trace.current())
			trace.setnode(0x99)
			own = hex(trace.propagate())
			return body
		end)
		trace.setnode(0x77)
		trace.attach(id_of "aaaabbbbccccdddd")
		assert.equal("x", (node.ask("x")))
		assert.equal("aaaabbbbcccc0077", seen)
		assert.equal("aaaabbbbcccc0099", own)
		assert.equal("aaaabbbbccccdddd", hex(trace.current()))
		trace.attach(nil)
		trace.setnode(0)
		node.ask("x")
		assert.equal("0000000000000000", seen)
		node.close()
	end))

	it("goes by its older names too", function()
		for _, module in ipairs { task, silly } do
			assert.equal(trace.setnode, module.tracenode)
			assert.equal(trace.spawn, module.tracespawn)
			assert.equal(trace.attach, module.traceset)
			assert.equal(trace.propagate, module.tracepropagate)
		end
	end)
end)
