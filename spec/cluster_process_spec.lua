--- Two processes, as in real life: what the log shows, who dies under whom.

local cluster = require "silly.net.cluster"
local time = require "silly.time"
local node = require "spec.support.node"
local process = require "spec.support.process"

local SERVER = [[
	local cluster = require "silly.net.cluster"
	local task = require "silly.task"
	local time = require "silly.time"
	local silly = require "silly"
	local function serve(changes)
		local conf = {
			marshal = function(_, cmd, body) if body == nil then return nil, "none" end return cmd, body end,
			unmarshal = function(_, _, data) return data end,
			call = function(_, _, body) return "r:" .. body end,
		}
		for option, value in pairs(changes or {}) do conf[option] = value end
		cluster.serve(conf)
	end
	serve()
]]

local ANNOUNCE = "print('at ' .. assert(cluster.listen('127.0.0.1:0')).addr)\n"

describe("a node in a process of its own", function()
	before_each(node.before)
	after_each(function()
		node.after()
		process.kill_all()
	end)

	it("serves calls until it is killed; then 10,000 in flight fail at once", async(function()
		local child = process.start(SERVER .. [[
			serve({ call = function(_, cmd, body) if cmd == 1 then return body end task.wait() end })
		]] .. ANNOUNCE)
		local peer = node.connect(child:output("at ([%d.:]+)"))
		assert.equal("x", (cluster.call(peer, 1, "x")))
		local closes = {}
		node.serve({
			timeout = 20000,
			close = function(closed, errno)
				closes[#closes + 1] = { closed, math.floor(errno) == errno }
			end,
		})
		local began, killed
		time.after(1, function()
			began = time.monotonic()
			assert(cluster.call(peer, 1, "the last one through") == "the last one through")
			child:kill()
			killed = time.monotonic()
		end)
		local results = node.crowd(10000, function()
			return cluster.call(peer, 2, "never answered")
		end)
		assert.is_true(killed >= began and time.monotonic() - killed < 3000)
		for index = 1, 10000 do
			local answer, why = results[index][1], results[index][2]
			if answer ~= nil or why ~= "closed" then
				assert.same({ nil, "closed" }, { answer, why })
			end
		end
		assert.same({ { peer, true } }, closes)
		local answer, why = cluster.call(peer, 1, "x")
		assert.is_nil(answer)
		assert.equal("connect " .. peer.addr .. ": Connection refused", why)
	end))

	it("comes back under the same address, and the handle with it", async(function()
		local child = process.start(SERVER .. ANNOUNCE)
		local addr = child:output("at ([%d.:]+)")
		local peer = node.connect(addr)
		assert.equal("r:1", (cluster.call(peer, 1, "1")))
		child:kill()
		node.eventually(function()
			return not peer.fd
		end, "the drop")
		process.start(SERVER .. "assert(cluster.listen('" .. addr .. "'))")
		assert.equal("r:2", node.eventually(function()
			return (cluster.call(peer, 1, "2"))
		end))
	end))

	it("delivers what was sent before silly.exit, and ends with its status", async(function()
		local got, closed = 0, nil
		node.serve({
			call = function()
				got = got + 1
			end,
			close = function(_, errno)
				closed = errno
			end,
		})
		local addr = node.listen().addr
		local child = process.start(SERVER .. ([[
			task.fork(function()
				local peer = cluster.connect("%s")
				local data = ("x"):rep(1000)
				for _ = 1, 1000 do assert(cluster.send(peer, 1, data)) end
				silly.exit(3)
			end)
		]]):format(addr))
		node.eventually(function()
			return closed
		end, "the end of " .. child.pid)
		assert.same({ 1000, 0 }, { got, closed })
	end))

	it("ends by itself once nothing can happen any more, and exit has its status", function()
		local pair = SERVER .. [[
			task.fork(function()
				local listener = cluster.listen("127.0.0.1:0")
				local peer = cluster.connect(listener.addr)
				print(cluster.call(peer, 1, "x"))
				if arg[1] == "exit" then silly.exit(300) end
				cluster.close(peer)
				cluster.close(listener)
				print("closed")
			end)
		]]
		assert.same({ "r:x\tnil\nclosed\n", "", 0 }, { process.run(pair, "end") })
		assert.same({ "r:x\tnil\n", "", 44 }, { process.run(pair, "exit") })
	end)

	it("logs to stderr: errors of callbacks with tracebacks, violations, nothing for what is normal", function()
		local out, err, status = process.run(SERVER .. [[
			serve({
				call = function(_, cmd, body)
					if cmd == 2 then error("broken handler") end
					if cmd == 3 then return nil end
					return body
				end,
				marshal = function(kind, cmd, body)
					if cmd == 4 and kind == "response" then error("broken marshal") end
					if cmd == 5 and kind == "response" then return cmd, {} end
					return cmd, body .. ""
				end,
				unmarshal = function(kind, cmd, data)
					if cmd == 6 and kind == "request" then return nil, "unreadable" end
					if cmd == 7 and kind == "request" then error("broken unmarshal") end
					return data
				end,
				close = function() error("broken close") end,
			})
			task.fork(function()
				local listener = cluster.listen("127.0.0.1:0")
				local peer = cluster.connect(listener.addr)
				for cmd = 1, 7 do
					print(cmd, cluster.call(peer, cmd, "x", 50))
				end
				cluster.close(peer)
				time.sleep(20)
				cluster.close(listener)
			end)
		]])
		assert.equal(0, status)
		local expected = { "1\tx\tnil" }
		for cmd = 2, 7 do
			expected[cmd] = cmd .. "\tnil\ttimeout"
		end
		assert.equal(table.concat(expected, "\n") .. "\n", out)
		local records = {}
		for line in err:gmatch("[^\n]+") do
			local record = line:match("^%d+%-%d+%-%d+ %d+:%d+:%d+ %x+ (E .*)")
			if record then
				records[#records + 1] = record:gsub("/%S*/", "")
			end
		end
		assert.equal(6, #records, err)
		for index, pattern in ipairs({
			"request of 127.0.0.1:%d+, session 1 cmd 2 failed: [^ ]*: broken handler$",
			"request of 127.0.0.1:%d+, session 3 cmd 4 failed: [^ ]*: broken marshal$",
			"127.0.0.1:%d+, session 4 cmd 5: marshal of the answer: a string wanted, got table$",
			"127.0.0.1:%d+, session 5 cmd 6: unmarshal returned no body for the request's 1 bytes, because: unreadable$",
			"request of 127.0.0.1:%d+, session 6 cmd 7 failed: [^ ]*: broken unmarshal$",
			"close of 127.0.0.1:%d+ failed: [^ ]*: broken close$",
		}) do
			assert.truthy(records[index]:find(pattern), records[index])
		end
		local _, tracebacks = err:gsub("stack traceback:", "")
		assert.equal(4, tracebacks)
	end)

	it("runs out of descriptors, says so once, and goes on when there are some again", function()
		local out, err, status = process.run(SERVER .. [[
			local listener = cluster.listen("127.0.0.1:0", 64)
			local crowd = [=[
				local socket = require "socket"
				local all = {}
				for index = 1, 40 do
					all[index] = socket.tcp4()
					if not all[index] then break end -- it has the same limit
					all[index]:connect("127.0.0.1", arg[1])
				end
				socket.sleep(0.4)
			]=]
			local name = os.tmpname()
			local file = io.open(name, "w")
			file:write(crowd)
			file:close()
			local limited = "prlimit --nofile=24 --pid " .. silly.pid
			local status = os.execute(limited .. " 2>/dev/null")
			if status == true or status == 0 then
				print("limited")
				os.execute(arg[-1] .. " " .. name .. " " .. listener.addr:match("%d+$") .. " &")
			end
			task.fork(function()
				time.sleep(800)
				os.remove(name)
				local peer = cluster.connect(listener.addr)
				print(cluster.call(peer, 1, "x"))
				silly.exit(0)
			end)
		]])
		assert.equal(0, status, err)
		assert.equal("r:x\tnil\n", out:match("r:.*$"))
		local _, lines = err:gsub("accept on [%d.:]+: Too many open files", "")
		assert.equal(out:find("limited") and 1 or 0, lines, err)
	end)
end)
