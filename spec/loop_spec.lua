--- The loop while messages keep it busy: what happens between its turns.

local shell = require "spec.support.shell"

teardown(shell.clean)

local PRELUDE = [[
local silly, task, time = require "silly", require "silly.task", require "silly.time"
local cluster = require "silly.net.cluster"
local main = coroutine.running()
local ECHO, HOLD = 1, 2
cluster.serve {
	marshal = function(_, cmd, body) return cmd, body end,
	unmarshal = function(_, _, data) return data end,
	call = function(_, cmd, body) if cmd == HOLD then task.wait() end return body end,
	timeout = 3600000,
}
local listener = assert(cluster.listen("127.0.0.1:0"))
]]

describe("the loop, while messages keep it busy,", function()
	it("hands over what was printed before it waits", function()
		local child = shell.start(PRELUDE .. [[
			time.after(5000, function() os.execute("kill -KILL " .. silly.pid) end)
			task.fork(function()
				local peer = cluster.connect(listener.addr)
				cluster.call(peer, ECHO, "")
				io.write "answered\n" -- print flushes by itself
				cluster.call(peer, HOLD, "")
			end)
		]])
		assert.equal("answered", child.read())
		child.kill "KILL"
		child.wait()
	end)

	it("does not mind that a script has closed its output", function()
		local result = shell.script(PRELUDE .. [[
			task.fork(function()
				local peer = cluster.connect(listener.addr)
				io.stdout:close()
				for _ = 1, 10 do cluster.call(peer, ECHO, "") end
				silly.exit(7)
			end)
		]])
		assert.same({ status = 7, out = "", err = "" }, result)
	end)

	if not coroutine.isyieldable or rawget(_G, "jit") then
		return -- nothing leads to the main thread on 5.1, and LuaJIT has one hook for all of them
	end

	it("lets the hook of a host stop it", function()
		local result = shell.script(PRELUDE .. [[
			task.fork(function()
				local peer = cluster.connect(listener.addr)
				for round = 1, 10000 do
					cluster.call(peer, ECHO, "")
					if round == 100 then
						debug.sethook(main, function()
							debug.sethook()
							error("stopped by its host", 0)
						end, "", 1)
					end
				end
				print "never stopped"
				silly.exit(1)
			end)
			print(pcall(silly.run))
			os.exit(0, false)
		]])
		assert.same({ status = 0, out = "false\tstopped by its host\n", err = "" }, result)
	end)
end)
