export default function Home() {
  return <h1>Next.js</h1>;
}
