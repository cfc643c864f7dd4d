function App() {
  return (
    <>
      <h1>Get started</h1>
    </>
  )
}

export default App
