--- A host with several Lua states, each in a thread of its own and moved between threads.

local process = require "spec.support.shell"

teardown(process.clean)

--- Each side answers the other, and asks it over a name and has a descriptor.
local COMMON = [[
	local silly, task = require "silly", require "silly.task"
	local cluster = require "silly.net.cluster"
	local ROUNDS = 10
	cluster.serve {
		marshal = function(_, cmd, body) return cmd, body end,
		unmarshal = function(_, _, data) return data end,
		call = function(_, _, body) return body:upper() end,
	}
	local listener = assert(cluster.listen "127.0.0.1:0")
	local peer
	assert(silly.fd())
	local function visit(me, other, number)
		local finished
		note(me .. number, listener.addr)
		while not noted(other .. number) do silly.step(5) end
		task.fork(function()
			peer = peer or cluster.connect("localhost:" .. noted(other .. number):match "%d+$")
			for round = 1, ROUNDS do
				local body = me .. number .. round
				assert(cluster.call(peer, 1, body) == body:upper())
			end
			finished = true
			note(me .. number .. " done", "yes")
		end)
		while not (finished and noted(other .. number .. " done")) do silly.step(20) end
	end
]]

describe("two states in two threads", function()
	local guests, problem

	setup(function()
		guests, problem = process.host("guests")
		process.write("a.lua", COMMON .. [[ function phase(number) visit("a", "b", number) end ]])
		process.write("b.lua", COMMON .. [[ function phase(number) visit("b", "a", number) end ]])
	end)

	local function run(wrapper, order, limit)
		assert(guests, problem)
		return process.command(("%s %s a.lua b.lua %s"):format(wrapper, guests, order), nil, nil, limit)
	end

	for _, order in ipairs { "ab", "ba" } do
		it("call each other, move to other threads, and are closed in the order " .. order, function()
			assert.same({ status = 0, out = "guests: done\n", err = "" }, run("", order))
		end)
	end

	it("touch no memory that is not theirs, and lose none", function()
		local result = run(process.valgrind, "ab", 60)
		assert.same({ status = 0, out = "guests: done\n", err = "" }, result)
	end)
end)
