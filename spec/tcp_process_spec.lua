--- Connections of silly.net.tcp where processes end, fork, or load the modules again.

local process = require "spec.support.process"
local raw = require "spec.support.raw"
local shell = require "spec.support.shell"
local streams = require "spec.support.streams"

teardown(shell.clean)

describe("a program with connections", function()
	before_each(streams.before)
	after_each(streams.after)

	it("ends when the last one and the last listener are closed", function()
		local result = shell.script([[
			local tcp, task = require "silly.net.tcp", require "silly.task"
			local listener
			listener = assert(tcp.listen { addr = "127.0.0.1:0", accept = function(conn)
				conn:write(conn:read("\n"):upper())
				conn:close()
				listener:close()
			end })
			task.fork(function()
				local conn = assert(tcp.connect(listener.addr))
				conn:write "hello\n"
				print(conn:read "\n")
				print(conn:read(1))
				conn:close()
			end)
		]])
		assert.same({ status = 0, out = "HELLO\n\tnil\n\tend of file\n", err = "" }, result)
	end)

	it("writes what is queued before silly.exit ends it", async(function()
		local server = raw.listen()
		local child = process.start(([[
			local silly, tcp, task = require "silly", require "silly.net.tcp", require "silly.task"
			task.fork(function()
				local conn = assert(tcp.connect("%s"))
				conn:write(("x"):rep(3000000))
				tcp.listen { addr = "127.0.0.1:0", accept = print }
				task.fork(function() conn:read(1) print "went on" end)
				task.fork(function() silly.exit(3) end)
			end)
		]]):format(server.addr))
		local peer = server:accept()
		assert.is_true(peer:has_ended())
		assert.equal(3000000, #peer.arrived)
		assert.equal("closed", peer.ended)
		child:kill()
	end))

	it("may have had its modules loaded again", function()
		local result = shell.script([[
			local tcp = require "silly.net.tcp"
			for name in pairs(package.loaded) do
				if name:find "^silly" then package.loaded[name] = nil end
			end
			assert(require "silly.net.tcp" == tcp)
			print "the same"
		]])
		assert.same({ status = 0, out = "the same\n", err = "" }, result)
	end)

	it("may fork: the child is told, and closes nothing of its parent's", function()
		local host, problem = shell.host()
		assert(host, problem)
		shell.write("forks.lua", [[
			local silly, task, tcp = require "silly", require "silly.task", require "silly.net.tcp"
			local time = require "silly.time"
			local function wait_for(body)
				local done
				task.fork(function() body() done = true end)
				while not done do silly.step(10) end
			end
			local other
			local listener = assert(tcp.listen { addr = "127.0.0.1:0", accept = function(conn)
				other = other or conn
			end })
			local conn
			wait_for(function()
				conn = assert(tcp.connect(listener.addr))
				conn:write "hello"
				while not other do time.sleep(1) end
				assert(other:read(5) == "hello")
			end)
			local ways = {
				function()
					print(conn:write "x")
					print(select(2, tcp.listen { addr = "127.0.0.1:0", accept = print }))
					task.fork(function() print(other:read(1)) print(tcp.connect(listener.addr)) end)
					pcall(silly.step, 0)
				end,
				function() conn:close() other:close() listener:close() print "closed" end,
				function() conn, other, listener = nil, nil, nil collectgarbage() end,
			}
			for number, way in ipairs(ways) do
				local pid = fork()
				if pid == 0 then
					local ok, why = pcall(way)
					if not ok then print(why) end
					leave(ok and 7 or 8)
				end
				assert(waitpid(pid) == 7, number)
				wait_for(function()
					conn:write "still"
					assert(other:read(5, 1000) == "still", number)
					local new = assert(tcp.connect(listener.addr))
					new:close()
				end)
			end
			print "parent is well"
		]])
		local result = shell.command(host .. " run forks.lua")
		local FORKED = "this process was forked from one that already used the network; "
			.. "fork before the first listen or connect\n"
		assert.same({
			status = 0,
			out = "false\t" .. FORKED .. FORKED .. "nil\t" .. FORKED .. "nil\t" .. FORKED
				.. "closed\nparent is well\nhost: done\n",
			err = "",
		}, result)
	end)
end)

describe("two programs", function()
	before_each(streams.before)
	after_each(streams.after)
	after_each(process.kill_all)

	it("learn of each other's violent end", async(function()
		local listener, arrivals = streams.listen()
		local child = process.start(([[
			local tcp, task = require "silly.net.tcp", require "silly.task"
			task.fork(function()
				local conn = assert(tcp.connect("%s"))
				conn:write "here\n"
				conn:read(1)
			end)
		]]):format(listener.addr))
		local conn = arrivals:pop()
		assert.equal("here\n", conn:read("\n"))
		child:kill()
		assert.same({ "", "end of file" }, { conn:read("\n") })
	end))
end)
