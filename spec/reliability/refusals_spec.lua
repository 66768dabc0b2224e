--- One request for memory is refused, in every round the next one, until there are none left: what the
--- modules keep books of must be right after each.

local shell = require "spec.support.shell"

teardown(shell.clean)

--- What every script begins with. It sets things up, calls `refuse` with what is tried without memory,
--- and asserts afterwards what must hold. `steps` runs the loop.
local PRELUDE = [[
local silly, task, time = require "silly", require "silly.task", require "silly.time"
local cluster, tcp = require "silly.net.cluster", require "silly.net.tcp"
local channel, mutex = require "silly.sync.channel", require "silly.sync.mutex"
local waitgroup = require "silly.sync.waitgroup"
local hit
local function refuse(fn, ...)
	local before = refused()
	turn(round)
	local ok, result = pcall(fn, ...)
	turn()
	hit = refused() > before
	return ok and result
end
local function steps(done)
	local limit = time.monotonic() + 2000
	local function look()
		silly.step(5)
		return done() and "done" or time.monotonic() > limit and "late"
	end
	local fine, state
	repeat fine, state = pcall(look) until fine and state
	return state == "done"
end
local function tasks()
	local count = 0
	for _ in pairs(task.inspect()) do count = count + 1 end
	return count
end
local function quiet() return tasks() == 0 end
local function serve(call)
	cluster.serve {
		marshal = function(_, cmd, body) return cmd, body end,
		unmarshal = function(_, _, data) return data end,
		call = call,
		timeout = 500,
	}
	return assert(cluster.listen("127.0.0.1:0"))
end
local function verify(condition, what) assert(condition, ("round %d: %s"):format(round, what)) end
]]

local EPILOGUE = [[
if not hit then print("rounds " .. round) end
return hit
]]

local CASES = {
	["a drain that fails leaves a node that answers"] = [[
local listener = serve(function(_, _, body) return body end)
local peer
task.fork(function()
	peer = cluster.connect(listener.addr)
	refuse(cluster.drain, 50)
end)
verify(steps(quiet), "the drain hangs")
local answer
task.fork(function()
	local again = assert(cluster.listen("127.0.0.1:0"))
	peer = cluster.connect(again.addr, { shared = false })
	answer = cluster.call(peer, 1, "x")
end)
verify(steps(quiet) and answer == "x", "the node is still draining")
]],
	["an answer that is too large ends one request, not two"] = [[
local long, before = ("x"):rep(70000), refused()
local listener = serve(function(_, cmd) if cmd == 1 then task.wait() end turn(round) return long end)
task.fork(function() cluster.call(cluster.connect(listener.addr), 1, "waits") end)
verify(steps(function() return cluster.stats().handlers == 1 end), "no handler")
task.fork(function() cluster.call(cluster.connect(listener.addr), 2, "too large", 5) end)
verify(steps(function() return tasks() == 2 end), "the second handler hangs")
turn()
hit = refused() > before
verify(cluster.stats().handlers == 1, cluster.stats().handlers .. " handlers instead of 1")
]],
	["a channel delivers what push has said to be pushed"] = [[
local values, waited = channel.new(), channel.new()
local pushed, popped, got = 0, 0, nil
task.fork(function() got = waited:pop() end)
steps(function() return task.taskstat() == 0 end)
local function push()
	for index = 1, 20 do
		if pcall(values.push, values, index) then pushed = pushed + 1 end
	end
	if not pcall(waited.push, waited, "value") then waited:push("value") end
end
refuse(push)
verify(steps(function() return got end), "a pop that waits is passed over")
values:close()
task.fork(function() while values:pop() do popped = popped + 1 end end)
verify(steps(quiet) and popped == pushed, ("%d of %d values"):format(popped, pushed))
]],
	["a key can be locked after whatever has failed"] = [[
local locks, done = mutex.new(), 0
local function work()
	local guard = locks:lock("key")
	time.sleep(0)
	while not pcall(guard.unlock, guard) do end
	done = done + 1
end
for _ = 1, 6 do task.fork(work) end
refuse(function() for _ = 1, 10 do silly.step(0) end end)
verify(steps(quiet), "somebody waits for ever")
local before = done
task.fork(work)
verify(steps(quiet) and done == before + 1, "the key is never free again")
]],
	["a task cancelled with a key in its hands gives it back"] = [[
local locks, got = mutex.new(), false
local function hold() local guard = locks:lock("key") time.sleep(10000) guard:unlock() end
local holder = task.fork(hold)
local waiter = task.fork(hold)
steps(function() return task.taskstat() == 0 end)
refuse(function() task.cancel(holder) task.cancel(waiter) end)
task.cancel(holder) task.cancel(waiter)
holder, waiter = nil, nil
task.fork(function() locks:lock("key"):unlock() got = true end)
verify(steps(quiet) and got, "the key is never free again")
]],
	["a wait group counts what it has started"] = [[
local group, ended, waited = waitgroup.new(), 0, 0
local function member() time.sleep(1) ended = ended + 1 end
local function wait() if pcall(group.wait, group) then waited = waited + 1 end end
refuse(function()
	for _ = 1, 5 do pcall(group.fork, group, member) end
	for _ = 1, 3 do pcall(task.fork, wait) end
	for _ = 1, 10 do silly.step(1) end
end)
verify(steps(quiet), "somebody waits for ever")
verify(group.count == 0, "it counts " .. group.count)
]],
	["no end of a stream is left open"] = [[
local listener = assert(tcp.listen { addr = "127.0.0.1:0", accept = function(conn)
	local line = conn:read("\n", 1000)
	if line then conn:write(line) end
	conn:close()
end })
task.fork(function()
	refuse(function()
		local conn = tcp.connect(listener.addr)
		conn:write("x\n")
		local line = conn:read("\n", 1000)
		conn:close()
		return line
	end)
end)
verify(steps(quiet), "somebody waits for ever")
listener:close()
verify(steps(function() collectgarbage() return not silly.pending() end), "a stream is left open")
]],
}

describe("without memory for one request", function()
	local pauper, problem

	setup(function()
		pauper, problem = shell.host("pauper")
	end)

	for title, script in pairs(CASES) do
		it(title, function()
			if _VERSION == "Lua 5.1" then
				pending("this Lua collects no garbage when memory fails, and LuaJIT itself then goes astray at times")
			end
			assert(pauper, problem)
			shell.write("script.lua", PRELUDE .. script .. EPILOGUE)
			local result = shell.command(pauper .. " script.lua", nil, nil, 60)
			assert.equal(0, result.status, result.err:sub(-2000))
			assert.is_true(tonumber(result.out:match("rounds (%d+)")) > 2, result.out)
		end)
	end
end)
