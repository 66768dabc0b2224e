--- Events on their way to tasks, while finalisers and crowds of tasks come in between.

local shell = require "spec.support.shell"

teardown(shell.clean)

local PRELUDE = [[
local silly, task, time = require "silly", require "silly.task", require "silly.time"
local cluster = require "silly.net.cluster"
local BODY = ("x"):rep(3000)
local function serve(call)
	cluster.serve {
		marshal = function(_, cmd, body) return cmd, body end,
		unmarshal = function(_, _, data) return data end,
		call = call,
		timeout = 3000,
	}
	return assert(cluster.listen("127.0.0.1:0"))
end
--- Calls a function when the garbage is collected next.
local function finally(fn)
	if newproxy then
		getmetatable(newproxy(true)).__gc = fn
	else
		setmetatable({}, { __gc = fn })
	end
end
]]

local function prints(expected, text)
	local result = shell.script(PRELUDE .. text)
	assert.same({ status = 0, out = expected, err = "" }, result)
end

describe("a task that an event is for", function()
	it("is its own also when a finaliser starts tasks meanwhile", function()
		prints("true\ttrue\n", [[
			local listener = serve(function(_, cmd, body) if cmd == 2 then time.sleep(1) end return body end)
			local forked, ran, answered = 0, 0, 0
			local function run() ran = ran + 1 end
			local function fork()
				for _ = 1, 3 do forked = forked + 1 task.fork(run) end
			end
			task.fork(function()
				local peer = cluster.connect(listener.addr)
				for round = 1, 4000 do
					finally(fork)
					local body = BODY .. round -- a new string each, or there would be no garbage
					if cluster.call(peer, round % 50 == 0 and 2 or 1, body) == body then answered = answered + 1 end
				end
				for _ = 1, 3 do -- until no finaliser is left to fork
					collectgarbage()
					time.sleep(1)
				end
				print(forked > 0 and forked == ran, answered == 4000)
				silly.exit(0)
			end)
		]])
	end)

	it("is given a coroutine also when a crowd of tasks takes all there are", function()
		prints("answer\n", [[
			local listener = serve(function(_, _, body) return body end)
			local forked = 0
			local function spin()
				forked = forked + 1
				if forked < 60000 then task.fork(spin) end
				task.wait()
			end
			task.fork(function()
				local peer = cluster.connect(listener.addr)
				cluster.call(peer, 1, "first")
				task.fork(spin)
				print((cluster.call(peer, 1, "answer")))
				io.stdout:flush()
				silly.exit(0)
			end)
		]])
	end)

	it("does not run any more when a finaliser has ended the loop", function()
		if _VERSION == "Lua 5.2" then
			pending("which collects before it makes a string, not after, and so never between two tasks")
		end
		prints("true\n", [[
			local over, after, main = false, 0, coroutine.running()
			local function count() if over then after = after + 1 end end
			local listener = serve(function(_, _, body) count() return body end)
			task.fork(function()
				local peer = cluster.connect(listener.addr)
				local function strike()
					if task.running() ~= main then
						return finally(strike) -- only between tasks
					end
					over = true
					silly.exit(0)
				end
				finally(strike)
				for round = 1, math.huge do
					-- Of all sizes, so that the garbage is collected here as well as there.
					cluster.call(peer, 1, ("x"):rep(1000 + round * 7919 % 6000) .. round)
					count()
				end
			end)
			repeat until not silly.step(10)
			print(after == 0)
			os.exit(0)
		]])
	end)

	it("is not kept by the loop once it waits", function()
		prints("false\n", [[
			local weak = setmetatable({}, { __mode = "k" })
			task.fork(function()
				time.sleep(1)
				local object = {}
				weak[object] = true
				coroutine.yield()
				print(object)
			end)
			for _ = 1, 10 do silly.step(3) end
			collectgarbage()
			collectgarbage()
			print(next(weak) ~= nil)
			os.exit(0)
		]])
	end)
end)
