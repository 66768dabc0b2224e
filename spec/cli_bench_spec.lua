--- `silly bench`, against a node in another process.

local process = require "spec.support.shell"
local raw = require "spec.support.raw"

--- Answers 1 at once, 2 after 20 ms, 3 never and 4 every other time; it prints at the end what it was asked.
local SERVER = [[
local cluster, time = require "silly.net.cluster", require "silly.time"
local signal, silly = require "silly.signal", require "silly"
local asked, sizes = {}, {}
cluster.serve {
	marshal = function(_, cmd, body) return body and cmd, body end,
	unmarshal = function(_, _, data) return data end,
	call = function(_, cmd, data)
		asked[cmd] = (asked[cmd] or 0) + 1
		sizes[#data] = true
		if cmd == 2 then time.sleep(20) end
		local silent = cmd == 3 or cmd == 4 and asked[4] % 2 == 0
		return not silent and data or nil
	end,
}
signal("SIGUSR1", function()
	print(asked[1] or 0, asked[2] or 0, sizes[32] and 32, sizes[1000] and 1000)
	silly.exit(0)
end)
print(assert(cluster.listen "127.0.0.1:0").addr)
]]

describe("silly bench", function()
	local server, addr

	before_each(function()
		server = process.start(SERVER, { command = process.launcher, stderr = "/dev/null" })
		addr = server.read()
	end)
	after_each(function()
		server.kill("KILL")
		server.wait()
	end)
	teardown(process.clean)

	local function bench(arguments)
		return process.command(("%s bench %s"):format(process.launcher, arguments))
	end

	local function number(text)
		return tonumber((text:gsub(",", "")))
	end

	it("counts what the node answers, and how long it takes", function()
		local fast = bench("--seconds 0.2 " .. addr)
		assert.same({ 0, "" }, { fast.status, fast.err })
		local title, answered, rate = fast.out:match("^([^\n]*), [%d.]+ s\nanswered  ([%d,]+), ([%d,]+) per second\n")
		assert.equal(addr .. ": 64 callers, 32 bytes, command 1", title)
		assert.is_true(number(rate) > number(answered))
		local slow = bench("--seconds=0.3 --callers 4 --size 1000 --cmd 2 " .. addr)
		local p50, p99, max = slow.out:match("p50 ([%d.]+) ms, .*p99 ([%d.]+) ms, .*max ([%d.]+) ms")
		assert.is_true(tonumber(p50) >= 20 and tonumber(p99) >= tonumber(p50) and tonumber(max) >= tonumber(p99))
		local slow_count = number(slow.out:match("answered  ([%d,]+)"))
		assert.is_true(slow_count >= 4 and slow_count <= 4 * 15, slow.out)
		-- The node's own books: what was answered, the first call of each, and what was cut off.
		server.kill("USR1")
		local ones, twos, small, large = server.read():match("(%d+)\t(%d+)\t(%d+)\t(%d+)")
		assert.same({ "32", "1000" }, { small, large })
		local more_fast, more_slow = ones - number(answered), twos - slow_count
		assert.is_true(more_fast >= 1 and more_fast <= 65 and more_slow >= 1 and more_slow <= 5, fast.out .. slow.out)
	end)

	it("ends with status 1 and the reasons when calls are not answered", function()
		local silent = bench("--timeout 50 --cmd 3 " .. addr)
		local hint = "The node's log has the error if the handler failed; that it returned nothing is there only "
			.. "at level debug\n"
		assert.same({ status = 1, out = "", err = "silly bench: timeout\n" .. hint }, silent)
		local dead = raw.dead_address()
		local refused = ("silly bench: connect %s: Connection refused\n"):format(dead)
		assert.same({ status = 1, out = "", err = refused }, bench(dead))
		local half = bench("--seconds 0.2 --timeout 20 --cmd 4 " .. addr)
		assert.equal(1, half.status)
		assert.matches("^silly bench: [%d,]+ calls failed: timeout\n" .. hint .. "$", half.err)
		assert.matches("\nfailed    [1-9]", half.out)
	end)

	it("tells mistakes in the command line, with status 2", function()
		for arguments, reason in pairs {
			[""] = "which node? HOST:PORT is missing", ["a:1 b:2"] = "too many arguments",
			["--callers 0 a:1"] = "--callers must be a whole number from 1 to 100000, got 0",
			["--seconds x a:1"] = "--seconds must be a number from 0.01 to 86400, got x",
			["--size 65520 a:1"] = "--size must be a whole number from 0 to 65519, got 65520",
		} do
			local result = bench(arguments)
			assert.same({ 2, "", "silly bench: " .. reason }, { result.status, result.out, result.err:match("^[^\n]*") })
		end
	end)
end)
